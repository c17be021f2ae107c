/**
 * Kills at random moments while links are written: 200 for every change, 10,000 by hand. Whatever is killed, and however, what it said was written
 * is there, whole and signed, what was there before is there still, and nothing that is left behind could be taken for a link.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { beforeAll, expect, test } from 'vitest'
import { decodeMetadata, hasSignature, isLink } from 'intoto'
import { bareEnvironment, bin } from '../cli/command.ts'
import { sha256 } from '../plugin/project.ts'
import { chosenSeed, Random } from '../interop/random.ts'
import { keyFile, Scene, signer } from './scene.ts'

const share = process.env['CI_SHARE'] !== undefined
const count = share ? 200 : Number(process.env['INTOTO_COUNT'] ?? 10_000)
/** Several at a time: most of a kill is waiting for it. */
const lanes = share ? 2 : 6
const repository = fileURLToPath(new URL('../../', import.meta.url))

/** Writes links for ever, and says of each that it was written, or that it could not be. Every second write of a faulty one fails somewhere. */
const writerSource = `
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { createLink, signSync } from 'intoto'
import { linkDirectory, loadSignerSync } from 'intoto/node'
const [key, folder, first, size, isFaulty] = process.argv.slice(2)
const signer = loadSignerSync(key)
const products = Object.fromEntries(Array.from({ length: Number(size) }, (_, i) => ['dist/' + i + '.js', { sha256: 'ab'.repeat(32) }]))
let [fault, faultAt] = [0, 0]
if (isFaulty === 'faulty') {
  for (const name of ['openSync', 'writeSync', 'fsyncSync', 'renameSync', 'fstatSync', 'closeSync']) {
    const real = fs[name]
    fs[name] = (...args) => {
      if (args[0] === 1 || --faultAt !== 0) return real(...args)
      if (name === 'closeSync') real(...args)
      throw Object.assign(new Error('injected'), { code: ['ENOSPC', 'EIO', 'EROFS', 'EDQUOT'][fault % 4] })
    }
  }
  syncBuiltinESMExports()
}
for (let generation = Number(first); ; generation++) {
  const link = signSync(createLink({ name: 'build', products, byproducts: { generation } }), [signer])
  fault = Number(first) + generation
  faultAt = generation % 2 === 0 ? 0 : 1 + (fault % 9)
  let word = 'ok'
  try { linkDirectory(folder).put(link) } catch (error) { word = error.code }
  faultAt = 0
  fs.writeSync(1, word + ' ' + generation + '\\n')
}`

let writer: string
beforeAll(async () => {
  writer = join(new Scene('writer').dir, 'writer.mjs')
  const stdin = { contents: writerSource, resolveDir: repository }
  await build({ stdin, outfile: writer, bundle: true, platform: 'node', format: 'esm', logLevel: 'error', banner: { js: requireLine } })
})
const requireLine = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`

/** How many kills ended how; a test that never hits a write would be worthless. */
interface Tally {
  kills: number
  torn: number
  untouched: number
  written: number
}

type Kind = (random: Random, tally: Tally) => Promise<void>

const signals = ['SIGKILL', 'SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGINT'] as const

/** Ends a process at a random moment: of its life, or right after something moved in a folder. */
async function kill(child: ChildProcess, random: Random, o: { folder: string; life: number }): Promise<NodeJS.Signals> {
  const signal = random.pick(signals)
  const strike = (): void => void child.kill(signal)
  const ended = once(child, 'close')
  const isTriggered = random.chance(0.6)
  const delay = isTriggered ? random.below(5) : random.below(o.life)
  const watcher = isTriggered ? watch(o.folder, () => setTimeout(strike, delay)) : undefined
  const timer = isTriggered ? undefined : setTimeout(strike, delay)
  await ended
  watcher?.close()
  clearTimeout(timer)
  return signal
}

function textOf(child: ChildProcess): () => string {
  let text = ''
  child.stdout?.on('data', (piece: Buffer) => (text += piece.toString()))
  child.stderr?.on('data', (piece: Buffer) => (text += piece.toString()))
  return () => text
}

function writerKind(isFaulty: boolean): Kind {
  const scene = new Scene(isFaulty ? 'faulty' : 'loop')
  let [generation, onDisk] = [1, 0]
  return async (random, tally) => {
    const size = random.pick([1, 50, 500, 5000])
    const args = [writer, keyFile, scene.links, String(generation), String(size), isFaulty ? 'faulty' : '']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const text = textOf(child)
    await Promise.race([once(child.stdout, 'data'), once(child, 'close')])
    const delay = random.below(size > 500 ? 60 : 15)
    const timer = setTimeout(() => child.kill(random.pick(signals)), delay)
    await once(child, 'close')
    clearTimeout(timer)
    const said = text()
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' '))
    const last = Number(said.at(-1)?.[1])
    expect(last).toBeGreaterThanOrEqual(generation)
    for (const [word, number] of said) if (word === 'ok') onDisk = Number(number)
    const failed = said.filter(([word]) => word !== 'ok').map(([word]) => word)
    for (const word of failed) expect(word).toBe('E_IO')
    if (!isFaulty) expect(failed).toEqual([])
    const { payload, temporaries } = await scene.found()
    const there = Number(payload?.byproducts['generation'] ?? 0)
    // What was said to be written, or what was being written; never what was said to have failed.
    expect([onDisk, last + 1]).toContain(there)
    tally.torn += Math.min(temporaries.length, 1)
    onDisk = there
    generation = last + 2
    for (const name of temporaries) rmSync(join(scene.links, name))
  }
}

function commandKind(words: readonly string[], prepare: (scene: Scene) => Promise<void> = async () => {}): Kind {
  const scene = new Scene('command')
  let life = 0
  const start = (): ChildProcess =>
    spawn(process.execPath, [bin, ...words.map((word) => (word === 'LINKS' ? scene.links : word))], {
      cwd: scene.dir,
      env: bareEnvironment({ INTOTO_KEY_FILE: keyFile }),
    })
  return async (random, tally) => {
    if (life === 0) {
      await scene.reset(false)
      await prepare(scene)
      const began = Date.now()
      const [code] = (await once(start(), 'close')) as [number]
      expect([code, (await scene.found()).link]).toEqual([0, 'new'])
      life = Math.ceil((Date.now() - began) * 1.2)
    }
    const withEarlier = random.chance(0.7)
    await scene.reset(withEarlier)
    await prepare(scene)
    const child = start()
    const text = textOf(child)
    const signal = await kill(child, random, { folder: scene.links, life })
    const { link, temporaries } = await scene.found()
    const ended = `${words[0]} ${signal} ${child.exitCode ?? child.signalCode} ${link} ${text()}`
    expect(text(), ended).not.toMatch(/\n\s+at |internal error/)
    // Where the signal itself is the end there is no exit code that could be wrong: Node listens no more while it takes itself down.
    if (child.exitCode === 0) expect(link, ended).toBe('new')
    else if (link === 'new') expect(child.exitCode, ended).toBe(null)
    else expect(link, ended).toBe(withEarlier ? 'earlier' : 'none')
    if (child.exitCode !== null) expect([0, 130, 143], ended).toContain(child.exitCode)
    if (signal !== 'SIGKILL') expect(temporaries, ended).toEqual([])
    tally.torn += Math.min(temporaries.length, 1)
    if (link === 'new') tally.written++
    else tally.untouched++
  }
}

const started = new Map<string, Uint8Array>()

/** The unfinished link that `record stop` ends, made once and put back for every kill. */
async function unfinished(scene: Scene): Promise<void> {
  const name = `.build.${signer.key.keyid.slice(0, 8)}.link-unfinished`
  if (!started.has(scene.dir)) {
    const args = [bin, 'record', 'start', '-n', 'build', '-m', 'input']
    const child = spawn(process.execPath, args, { cwd: scene.dir, env: bareEnvironment({ INTOTO_KEY_FILE: keyFile }) })
    expect(await once(child, 'close')).toEqual([0, null])
    started.set(scene.dir, readFileSync(join(scene.dir, name)))
  }
  writeFileSync(join(scene.dir, name), started.get(scene.dir) ?? '')
}

/** The plugin takes the earlier link away when a build begins; a link that is there after a kill speaks of the files beside it. */
function pluginKind(): Kind {
  const scene = new Scene('plugin', 'dist')
  mkdirSync(join(scene.dir, 'node_modules'))
  for (const [name, from] of Object.entries({ 'unplugin-in-toto': '.', intoto: 'packages/intoto', rollup: 'node_modules/rollup' }))
    symlinkSync(join(repository, from), join(scene.dir, 'node_modules', name))
  writeFileSync(join(scene.dir, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(scene.dir, 'main.js'), 'export const main = 1\n')
  writeFileSync(
    join(scene.dir, 'build.mjs'),
    `import { rollup } from 'rollup'\nimport inToto from 'unplugin-in-toto/rollup'
const bundle = await rollup({ input: 'main.js', plugins: [inToto()] })
await bundle.write({ dir: 'dist' })\nawait bundle.close()\n`,
  )
  return async (random, tally) => {
    for (const name of readdirSync(scene.links)) rmSync(join(scene.links, name))
    const child = spawn(process.execPath, ['build.mjs'], { cwd: scene.dir, env: bareEnvironment({ INTOTO_KEY_FILE: keyFile }) })
    const text = textOf(child)
    await kill(child, random, { folder: scene.links, life: 1500 })
    const names = readdirSync(scene.links).filter((name) => name.endsWith('.link'))
    if (child.exitCode === 0) expect(names, text()).toHaveLength(1)
    if (child.exitCode !== null) expect(child.exitCode, text()).toBe(0)
    tally.torn += readdirSync(scene.links).some((name) => name.endsWith('.tmp')) ? 1 : 0
    if (!existsSync(scene.link)) return void tally.untouched++
    const metadata = decodeMetadata(readFileSync(scene.link))
    expect(await hasSignature(metadata, signer.key)).toBe(true)
    if (!isLink(metadata.payload)) throw new Error('no link')
    expect(metadata.payload.products).toEqual({ 'dist/main.js': { sha256: sha256(join(scene.dir, 'dist/main.js')) } })
    tally.written++
  }
}

/** How many of 200 kills are whose; each with a folder of its own. */
const kinds: readonly [name: string, parts: number, make: () => Kind][] = [
  ...Array.from({ length: 4 }, (): [string, number, () => Kind] => ['writer', 35, () => writerKind(false)]),
  ['writer with failing calls', 27, () => writerKind(true)],
  ['run', 20, () => commandKind(['run', '-n', 'build', '-d', 'LINKS', '-m', 'input', '-p', 'input', '-x'])],
  [
    'run of a command',
    6,
    () => commandKind(['run', '-n', 'build', '-d', 'LINKS', '-m', 'input', '-p', 'input', '--', process.execPath, '-e', '0']),
  ],
  ['record stop', 6, () => commandKind(['record', 'stop', '-n', 'build', '-d', 'LINKS', '-p', 'input'], unfinished)],
  ['plugin', 1, pluginKind],
]

test(`${count} kills: no link is broken or lost`, async () => {
  const seed = chosenSeed(share ? 1_714_550_677 : undefined)
  console.log(`INTOTO_SEED=${seed}`)
  const tallies = new Map<string, Tally>()
  const jobs = kinds.map(([name, parts, make], number) => async () => {
    const [random, kind] = [new Random(seed + number), make()]
    const tally = tallies.get(name) ?? { kills: 0, torn: 0, untouched: 0, written: 0 }
    tallies.set(name, tally)
    for (let i = 0; i < Math.ceil((count * parts) / 200); i++) {
      await kind(random, tally)
      tally.kills++
    }
    if (!share) console.log(`${name}: ${tally.kills} kills`)
  })
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await job()
    }),
  )
  console.table(Object.fromEntries(tallies))
  const all = [...tallies.values()]
  expect(all.reduce((sum, { kills }) => sum + kills, 0)).toBeGreaterThanOrEqual(count)
  // Many kills must have met a write, or nothing was tried.
  expect(all.reduce((sum, { torn }) => sum + torn, 0)).toBeGreaterThan(count / 20)
})
