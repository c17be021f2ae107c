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

/** A project of so many modules of 1 to 4 kB that one entry imports. */
export function project(folder, modules) {
  mkdirSync(join(folder, 'src'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'bench', version: '1.0.0', type: 'module' }))
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ name: 'bench', version: '1.0.0', lockfileVersion: 3, packages: {} }))
  const imports = []
  for (let i = 0; i < modules; i++) {
    const last = 18 + ((i * 37) % 55)
    const lines = Array.from({ length: last + 1 }, (_, line) => `export function f${i}_${line}(a, b) { return a * ${line} + b - ${i} }`)
    const place = join(folder, `src/d${i % 50}`)
    if (i < 50) mkdirSync(place, { recursive: true })
    writeFileSync(join(place, `m${i}.js`), `${lines.join('\n')}\nexport default () => f${i}_0(1, 2) + f${i}_${last}(3, 4)\n`)
    imports.push(`import m${i} from './d${i % 50}/m${i}.js'`)
  }
  const calls = Array.from({ length: modules }, (_, i) => `m${i}()`)
  writeFileSync(join(folder, 'src/main.js'), `${imports.join('\n')}\nconsole.log([${calls.join(', ')}].length)\n`)
}
