/**
 * What is measured: signed chains of a given size and trees of files, made fresh in a temporary folder from a fixed seed, so that every run and
 * every implementation does the same work.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLink, encodeMetadata, generateKeyPair, importSigner, keyids, linkFileName, parseLayout, sign, toLayoutKey } from 'intoto'

/** A folder for one benchmark. */
export function workplace(name) {
  return mkdtempSync(join(tmpdir(), `intoto-bench-${name}-`))
}

const digest = (text) => ({ sha256: createHash('sha256').update(text).digest('hex') })

/**
 * Three linked steps over `files` source files: write → build → package; about 4N+1 artifact entries. `rules`: how many rules stand before the
 * last one in the materials of `build`. `format`: that of the links.
 */
export async function chain(folder, { files, rules = 1, format = 'metablock' }) {
  mkdirSync(join(folder, 'links'), { recursive: true })
  const owner = await generateKeyPair('ed25519')
  const worker = await generateKeyPair('ed25519')
  writeFileSync(join(folder, 'owner.pub'), owner.publicPem)
  const ownerSigner = await importSigner(owner.privatePem)
  const signer = await importSigner(worker.privatePem)
  const source = {}
  const built = {}
  for (let i = 0; i < files; i++) source[`src/dir${i % 100}/file${i}.ts`] = digest(`source ${i}`)
  for (let i = 0; i < files; i++) built[`dist/dir${i % 100}/file${i}.js`] = digest(`built ${i}`)
  const links = [
    { name: 'write', products: source },
    { name: 'build', materials: source, products: built },
    { name: 'package', materials: built, products: { 'app.tgz': digest('tarball') } },
  ]
  for (const link of links) {
    const metadata = await sign(createLink({ materials: {}, products: {}, command: [], byproducts: {}, ...link }), [signer], { format })
    writeFileSync(join(folder, 'links', linkFileName(link.name, signer.key.keyid)), encodeMetadata(metadata))
  }
  const extra = Array.from({ length: rules - 1 }, (_, i) => ['MATCH', `src/dir${i % 100}/file${i}*`, 'WITH', 'PRODUCTS', 'FROM', 'write'])
  const step = (name, expected_materials, expected_products) => ({
    _type: 'step',
    name,
    threshold: 1,
    pubkeys: [signer.key.keyid],
    expected_command: [],
    expected_materials,
    expected_products,
  })
  const layout = parseLayout({
    _type: 'layout',
    expires: '2036-01-01T00:00:00Z',
    readme: '',
    inspect: [],
    keys: { [signer.key.keyid]: toLayoutKey(signer.key) },
    steps: [
      step(
        'write',
        [['DISALLOW', '*']],
        [
          ['CREATE', 'src/*'],
          ['DISALLOW', '*'],
        ],
      ),
      step(
        'build',
        [...extra, ['MATCH', 'src/*', 'WITH', 'PRODUCTS', 'FROM', 'write'], ['DISALLOW', '*']],
        [
          ['CREATE', 'dist/*'],
          ['ALLOW', 'src/*'],
          ['DISALLOW', '*'],
        ],
      ),
      step(
        'package',
        [
          ['MATCH', '*', 'WITH', 'PRODUCTS', 'FROM', 'build'],
          ['DISALLOW', '*'],
        ],
        [
          ['CREATE', '*.tgz'],
          ['DISALLOW', '*'],
        ],
      ),
    ],
  })
  const root = await sign(layout, [ownerSigner], { format: 'metablock', keyids: (key) => keyids(key).slice(0, 2) })
  writeFileSync(join(folder, 'root.layout'), encodeMetadata(root))
  return {
    layout: join(folder, 'root.layout'),
    key: join(folder, 'owner.pub'),
    links: join(folder, 'links'),
    build: join(folder, 'links', linkFileName('build', signer.key.keyid)),
  }
}

/** A tree of `files` files of 2 to 8 kB, or of `size` bytes each, and a private key beside it. */
export async function tree(folder, { files, size }) {
  const root = join(folder, 'tree')
  let seed = 42
  const random = () => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) / 0x7fffffff
  const block = Buffer.alloc(size ?? 8192, 'in-toto ')
  for (let i = 0; i < files; i++) {
    const place = join(root, `d${i % 97}`)
    if (i < 97) mkdirSync(place, { recursive: true })
    block.writeUInt32LE(i, 0)
    writeFileSync(join(place, `f${i}.js`), block.subarray(0, size ?? 2048 + Math.floor(random() * 6144)))
  }
  const pair = await generateKeyPair('ed25519')
  writeFileSync(join(folder, 'key'), pair.privatePem, { mode: 0o600 })
  const outs = { ours: join(folder, 'ours'), python: join(folder, 'python'), go: join(folder, 'go') }
  for (const out of Object.values(outs)) mkdirSync(out, { recursive: true })
  return { path: 'tree', cwd: folder, key: join(folder, 'key'), outs }
}

/** Which bundlers read TypeScript by themselves; the others get the same modules as JavaScript. */
export const extensionFor = (bundler) => (['webpack', 'rollup'].includes(bundler) ? 'js' : 'ts')

/**
 * A project as people have them: `modules` modules of 2 to 4 kB in 50 folders, which import one another and of which everything is used, and a
 * twentieth as many of packages in node_modules, which the lockfile pins.
 */
export function project(folder, modules, extension) {
  mkdirSync(join(folder, 'src'), { recursive: true })
  const packages = Array.from({ length: Math.ceil(modules / 200) }, (_, i) => `package-${i}`)
  const dependencies = Object.fromEntries(packages.map((name) => [name, '1.0.0']))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'bench', version: '1.0.0', type: 'module', dependencies }))
  const locked = packages.map((name) => [
    `node_modules/${name}`,
    { version: '1.0.0', integrity: `sha512-${Buffer.alloc(64, name).toString('base64')}` },
  ])
  const root = { name: 'bench', version: '1.0.0', dependencies }
  const lock = { name: 'bench', version: '1.0.0', lockfileVersion: 3, packages: { '': root, ...Object.fromEntries(locked) } }
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock))
  if (extension === 'ts')
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { target: 'es2022', strict: true } }))
  packages.forEach((name, i) => writePackage(join(folder, 'node_modules', name), i))
  for (let i = 0; i < Math.min(50, modules); i++) mkdirSync(join(folder, `src/d${i}`), { recursive: true })
  for (let i = 0; i < modules; i++) writeFileSync(join(folder, modulePath(i, extension)), moduleSource(i, { modules, packages, extension }))
  const numbers = Array.from({ length: modules }, (_, i) => i)
  const imports = numbers.map((i) => `import use${i} from './d${i % 50}/m${i}.${extension}'`)
  writeFileSync(
    join(folder, `src/main.${extension}`),
    `${imports.join('\n')}\nconsole.log([${numbers.map((i) => `use${i}(${i})`).join(', ')}].length)\n`,
  )
}

/** Where a module lies in its project. */
export const modulePath = (i, extension) => `src/d${i % 50}/m${i}.${extension}`

function writePackage(place, i) {
  mkdirSync(place, { recursive: true })
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name: `package-${i}`, version: '1.0.0', type: 'module', main: 'index.js' }))
  const parts = Array.from({ length: 9 }, (_, part) => part)
  for (const part of parts)
    writeFileSync(
      join(place, `part${part}.js`),
      `export function part${part}(list) {\n  return list.map((item) => item + ${part * i}).filter(Boolean)\n}\n`,
    )
  const lines = parts.map((part) => `export { part${part} } from './part${part}.js'`)
  writeFileSync(join(place, 'index.js'), `${lines.join('\n')}\n`)
}

/** Functions, a class and a table, with types or without; all of them are called by what others import. */
function moduleSource(i, { modules, packages, extension }) {
  const type = (text) => (extension === 'ts' ? text : '')
  const later = [i + 50, i + 101].filter((other) => other < modules)
  const imports = later.map((other) => `import { sum${other}_0 } from '../d${other % 50}/m${other}.${extension}'`)
  const used = `package-${i % packages.length}`
  imports.push(`import { part${i % 9} } from '${used}'`)
  const functions = Array.from({ length: 1 + ((i * 37) % 4) }, (_, n) => functionSource(`${i}_${n}`, type))
  const calls = [...functions.map((_, n) => `sum${i}_${n}(options, values)`), ...later.map((other) => `sum${other}_0(options, values)`)]
  return `${imports.join('\n')}
${type(`
export interface Options${i} {
  readonly name: string
  readonly size: number
  tags?: string[] | undefined
}
`)}
/** What the ${i}th part of the program keeps, by name. */
export class Store${i} {
  ${type(`private readonly `)}items${type(': Map<string, number>')} = new Map()

  add(name${type(': string')}, value${type(': number')})${type(': this')} {
    const known = this.items.get(name) ?? ${i}
    this.items.set(name, known + value)
    return this
  }

  get total()${type(': number')} {
    return [...this.items.values()].reduce((sum, value) => sum + value, 0)
  }
}
${functions.join('\n')}
/** What everybody else calls. */
export default function use${i}(input${type(': number')})${type(': string')} {
  const options = { name: 'module ${i}', size: input, tags: ['first', 'second'] }
  const values = part${i % 9}([input, ${i}, ${i + 1}])
  const store = new Store${i}().add(options.name, ${calls.join(' + ')})
  return \`\${options.name}: \${store.total}\`
}
`
}

function functionSource(name, type) {
  const options = type(`: { readonly name: string; readonly size: number; tags?: string[] | undefined }`)
  return `
/** Adds up what counts of the values, each by its place. */
export function sum${name}(options${options}, values${type(': readonly number[]')})${type(': number')} {
  const limit = options.size > 100 ? options.size : 100 + (options.tags ?? []).length
  let total = 0
  for (const [index, value] of values.entries()) {
    if (value > limit) throw new RangeError(\`\${options.name}: \${value} is more than \${limit}\`)
    total += value % 2 === 0 ? value * index : Math.round(value / (index + 1))
  }
  return total
}
`
}
