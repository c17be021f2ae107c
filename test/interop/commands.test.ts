/**
 * Whole supply chains through the three command lines: made by each peer's programs and verified by `intoto verify`; made by ours and verified by
 * each peer, together with everything that can go wrong and that a peer can see.
 */
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringifyJson, toLayoutKey, type JsonObject, type JsonValue } from 'intoto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dictionary, type Format } from './chain.ts'
import { makeKey, type Style, type TestKey } from './keys.ts'
import { describeWithPeers, peerCommand, type PeerName } from './peer.ts'

const bin = fileURLToPath(new URL('../../packages/cli/bin/intoto.js', import.meta.url))

interface Ended {
  code: number
  said: string
}

function run(cwd: string, file: string, args: readonly string[]): Promise<Ended> {
  const env = { ...process.env, INTOTO_KEY: '', INTOTO_KEY_FILE: '' }
  return new Promise((resolve) => {
    execFile(file, args, { cwd, env, encoding: 'utf8' }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, said: stdout + stderr })
    })
  })
}

async function mustRun(cwd: string, file: string, args: readonly string[]): Promise<void> {
  const { code, said } = await run(cwd, file, args)
  if (code !== 0) throw new Error(`${file} ${args.join(' ')}: ${code} ${said}`)
}

/** The step `build`, as the command line of every implementation takes it; the option for the signing key goes by two names. */
const buildStep = (key: readonly [string, string], ...rest: string[]): string[] => [
  '-n',
  'build',
  ...key,
  '-m',
  'src',
  '-p',
  'dist',
  '-d',
  'links',
  ...rest,
]
const copy = ['--', 'cp', '-r', 'src', 'dist']

const intoto = (cwd: string, ...args: string[]): Promise<Ended> => run(cwd, process.execPath, [bin, ...args])

/** Carries the step `build` out once more, through our own program. */
const rebuilt = (folder: string, { privateFile }: TestKey, ...rest: string[]): Promise<void> =>
  mustRun(folder, process.execPath, [bin, 'run', ...buildStep(['--signing-key', privateFile], ...rest)])

interface People {
  owner: TestKey
  alice: TestKey
  bob: TestKey
}

/** Two steps and an inspection, as an owner would write them who lists keys in this style. */
function layoutOf(people: People, style: Style): JsonObject {
  const listed = [people.alice, people.bob].map((key) => Object.assign(toLayoutKey(key.key), { keyid: key.ids[style] }))
  const step = (name: string, key: TestKey, rest: JsonObject): JsonObject => ({
    _type: 'step',
    name,
    threshold: 1,
    pubkeys: [key.ids[style]],
    ...rest,
  })
  return {
    _type: 'layout',
    expires: '2055-01-01T00:00:00Z',
    readme: '',
    keys: dictionary<JsonValue>(listed.map((key) => [key['keyid'], key])),
    steps: [
      step('source', people.alice, {
        expected_command: [],
        expected_materials: [],
        expected_products: [
          ['REQUIRE', 'src/main.js'],
          ['CREATE', 'src/*'],
          ['DISALLOW', '*'],
        ],
      }),
      step('build', people.bob, {
        expected_command: ['cp', '-r', 'src', 'dist'],
        expected_materials: [
          ['MATCH', '*', 'WITH', 'PRODUCTS', 'FROM', 'source'],
          ['DISALLOW', '*'],
        ],
        expected_products: [
          ['MATCH', '*', 'IN', 'dist', 'WITH', 'PRODUCTS', 'IN', 'src', 'FROM', 'source'],
          ['DISALLOW', '*'],
        ],
      }),
    ],
    inspect: [
      {
        _type: 'inspection',
        name: 'look',
        run: ['test', '-f', 'dist/main.js'],
        expected_materials: [
          ['MATCH', 'dist/*', 'WITH', 'PRODUCTS', 'FROM', 'build'],
          ['DISALLOW', 'dist/*'],
        ],
        expected_products: [],
      },
    ],
  }
}

function unsigned(payload: JsonObject, format: Format): string {
  const envelope: JsonObject =
    format === 'dsse'
      ? { payload: Buffer.from(stringifyJson(payload)).toString('base64'), payloadType: 'application/vnd.in-toto+json', signatures: [] }
      : { signatures: [], signed: payload }
  return stringifyJson(envelope)
}

function newProject(folder: string): void {
  mkdirSync(join(folder, 'src/lib'), { recursive: true })
  mkdirSync(join(folder, 'links'))
  writeFileSync(join(folder, 'src/main.js'), 'import "./lib/ü.js"\n')
  writeFileSync(join(folder, 'src/lib/ü.js'), 'export {}\n')
}

const dsse = (format: Format): string[] => (format === 'dsse' ? ['--use-dsse'] : [])

/** How each implementation's programs are told the same things. */
const makers: Record<PeerName | 'ours', (folder: string, people: People, format: Format) => Promise<void>> = {
  python: async (folder, { owner, alice, bob }, format) => {
    const python = (command: string, ...args: string[]): Promise<void> => mustRun(folder, peerCommand('python', command), args)
    await python('in-toto-record', 'start', '-n', 'source', '--signing-key', alice.privateFile, ...dsse(format))
    await python('in-toto-record', 'stop', '-n', 'source', '--signing-key', alice.privateFile, '-p', 'src', '-d', 'links', ...dsse(format))
    await python('in-toto-run', ...buildStep(['--signing-key', bob.privateFile], ...dsse(format), ...copy))
    await python('in-toto-sign', '-f', 'unsigned.layout', '-k', owner.privateFile, '-o', 'root.layout')
  },
  go: async (folder, { owner, alice, bob }, format) => {
    const go = (...args: string[]): Promise<void> => mustRun(folder, peerCommand('go', 'in-toto'), args)
    await go('record', 'start', '-n', 'source', '-k', alice.privateFile, '-d', 'links', ...dsse(format))
    await go('record', 'stop', '-n', 'source', '-k', alice.privateFile, '-p', 'src', '-d', 'links', ...dsse(format))
    await go('run', ...buildStep(['-k', bob.privateFile], ...dsse(format), ...copy))
    await go('sign', '-f', 'unsigned.layout', '-k', owner.privateFile, '-o', 'root.layout')
  },
  ours: async (folder, { owner, alice, bob }, format) => {
    const ours = (...args: string[]): Promise<void> => mustRun(folder, process.execPath, [bin, ...args])
    await ours('record', 'start', '-n', 'source', '--signing-key', alice.privateFile, '--format', format)
    await ours('record', 'stop', '-n', 'source', '--signing-key', alice.privateFile, '-p', 'src', '-d', 'links', '--format', format)
    await ours('run', ...buildStep(['--signing-key', bob.privateFile], '--format', format, ...copy))
    await ours('sign', '-f', 'unsigned.layout', '-k', owner.privateFile, '-o', 'root.layout')
  },
}

const judges: Record<PeerName | 'ours', (folder: string, key: string) => Promise<Ended>> = {
  python: (folder, key) =>
    run(folder, peerCommand('python', 'in-toto-verify'), ['--layout', 'root.layout', '--verification-keys', key, '--link-dir', 'links']),
  go: (folder, key) => run(folder, peerCommand('go', 'in-toto'), ['verify', '-l', 'root.layout', '-k', key, '-d', 'links']),
  ours: (folder, key) => intoto(folder, 'verify', '--layout', 'root.layout', '--verification-keys', key, '--link-dir', 'links'),
}

const linkOf = (folder: string, step: string): string =>
  join(
    folder,
    'links',
    readdirSync(join(folder, 'links')).find((name) => name.startsWith(`${step}.`))!,
  )

/** What may happen to a chain; each as the functionary or stranger would do it, through our own programs. */
const mishaps: Record<string, (folder: string, people: People, format: Format) => Promise<void>> = {
  'a step recorded by a key that is not in the layout': async (folder, { owner }, format) => {
    rmSync(linkOf(folder, 'build'))
    await rebuilt(folder, owner, '--format', format, '-x')
  },
  'a byte changed between two steps': async (folder, { bob }, format) => {
    writeFileSync(join(folder, 'src/main.js'), 'evil()\n')
    rmSync(join(folder, 'dist'), { recursive: true })
    await rebuilt(folder, bob, '--format', format, ...copy)
  },
  'a step without a link': async (folder) => rmSync(linkOf(folder, 'source')),
  'a link changed by hand': async (folder) => {
    const path = linkOf(folder, 'build')
    const text = readFileSync(path, 'utf8')
    writeFileSync(
      path,
      text.replace(/("sig": ?")(.)/, (_, before: string, first: string) => before + (first === 'a' ? 'b' : 'a')),
    )
  },
  'a link cut short': async (folder) => {
    const path = linkOf(folder, 'source')
    writeFileSync(path, readFileSync(path).subarray(0, 200))
  },
  'a product changed on disk': async (folder) => writeFileSync(join(folder, 'dist/main.js'), 'evil()\n'),
  'a product added on disk': async (folder) => writeFileSync(join(folder, 'dist/evil.js'), 'evil()\n'),
}

describeWithPeers('the command lines', () => {
  let root: string
  let people: People
  let chains = 0
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'commands-'))
    people = {
      owner: await makeKey('rsa-2048', root, 'owner'),
      alice: await makeKey('ed25519', root, 'alice'),
      bob: await makeKey('ecdsa', root, 'bob'),
    }
  })
  afterAll(() => rmSync(root, { recursive: true, force: true }))

  async function made(by: PeerName | 'ours', format: Format): Promise<string> {
    const folder = join(root, `chain-${chains++}`)
    newProject(folder)
    writeFileSync(join(folder, 'unsigned.layout'), unsigned(layoutOf(people, by === 'go' ? 'go' : 'python'), format))
    await makers[by](folder, people, format)
    return folder
  }

  const verdictOf = async (judge: PeerName | 'ours', folder: string): Promise<string> => {
    const copy = `${folder}-${judge}-${chains++}`
    cpSync(folder, copy, { recursive: true })
    const { code, said } = await judges[judge](copy, people.owner.publicFile)
    return code === 0 ? 'accepted' : code === 1 ? 'refused' : `ended with ${code}: ${said}`
  }

  const verdictsOf = async (folder: string): Promise<string[]> =>
    Promise.all((['ours', 'python', 'go'] as const).map((judge) => verdictOf(judge, folder)))

  for (const format of ['metablock', 'dsse'] as const) {
    for (const peer of ['python', 'go'] as const) {
      test(`a chain made by the programs of ${peer} in ${format} is accepted by ours, and refused after a change`, async () => {
        const folder = await made(peer, format)
        expect(await verdictOf(peer, folder)).toBe('accepted')
        expect(await verdictOf('ours', folder)).toBe('accepted')
        await mishaps['a link changed by hand']!(folder, people, format)
        expect(await verdictOf('ours', folder)).toBe('refused')
      })
    }

    test(`a chain made by our programs in ${format} is accepted by all`, async () => {
      const folder = await made('ours', format)
      expect(existsSync(join(folder, 'dist/lib/ü.js'))).toBe(true)
      expect(await verdictsOf(folder)).toEqual(['accepted', 'accepted', 'accepted'])
    })

    for (const [name, happen] of Object.entries(mishaps)) {
      test(`${name} (${format}) is refused by all`, async () => {
        const folder = await made('ours', format)
        await happen(folder, people, format)
        expect(await verdictsOf(folder)).toEqual(['refused', 'refused', 'refused'])
      })
    }
  }

  test('another command: refused by us, and let pass with a warning by the peers, as the specification has it', async () => {
    const folder = await made('ours', 'dsse')
    rmSync(join(folder, 'dist'), { recursive: true })
    await rebuilt(folder, people.bob, '--', 'cp', '-rp', 'src', 'dist')
    expect(await verdictsOf(folder)).toEqual(['refused', 'accepted', 'accepted'])
    const lenient = [
      'verify',
      '--layout',
      'root.layout',
      '-k',
      people.owner.publicFile,
      '--link-dir',
      'links',
      '--command-mismatch',
      'warn',
    ]
    expect(await intoto(folder, ...lenient)).toMatchObject({ code: 0, said: expect.stringContaining('cp -rp') as string })
  })
})
