/**
 * Every system call of writing a link fails once, in every way that a disk can fail, and every one is met by a signal: strace makes them fail. Each
 * time the exit code says whether a whole signed link lies there, and what was there before is there still unless it does. A share for every change.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { bareEnvironment, bin } from '../cli/command.ts'
import { keyFile, Scene, signer } from './scene.ts'

const share = process.env['CI_SHARE'] !== undefined
const hasStrace = spawnSync('strace', ['-V'], { stdio: 'ignore' }).error === undefined
if (!hasStrace && process.env['CI_PEERS'] !== '1') console.warn('skipped: no strace, so no system call can be made to fail')
const repository = fileURLToPath(new URL('../../', import.meta.url))

/** How each call can fail; the first is the one of CI's share. `retval` makes it lie. */
const failures: Readonly<Record<string, readonly string[]>> = {
  openat: ['error=ENOSPC', 'error=EMFILE', 'error=EROFS', 'error=EACCES', 'error=EIO'],
  read: ['error=EIO'],
  write: ['error=ENOSPC', 'error=EIO', 'error=EDQUOT', 'retval=7'],
  fsync: ['error=EIO', 'error=ENOSPC'],
  close: ['error=EIO', 'error=ENOSPC'],
  fstat: ['error=EIO'],
  statx: ['error=EIO', 'error=EACCES'],
  link: ['error=EIO', 'error=EPERM'],
  rename: ['error=EXDEV', 'error=EIO', 'error=EROFS', 'error=ENOSPC'],
  unlink: ['error=EIO', 'error=EROFS'],
  mkdir: ['error=EROFS', 'error=ENOSPC'],
}
const signals = ['signal=SIGKILL', 'signal=SIGTERM', 'signal=SIGINT'] as const

/** One call of a run that went well: the how manyth of its kind it was, and what it was. */
interface SystemCall {
  readonly name: string
  readonly number: number
  readonly text: string
}

/** A program that writes a link into a scene. */
interface Program {
  readonly scene: Scene
  readonly args: readonly string[]
  /** The first call that counts: before it, Node and its modules are loaded. */
  readonly from: RegExp
  /** Whether it answers signals itself; a bundler with our plugin is ended by them. */
  readonly listens: boolean
  prepare(withEarlier: boolean): Promise<void>
}

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly text: string
}

const env = bareEnvironment({ INTOTO_KEY_FILE: keyFile })

/** Only the main thread is traced: all that this project does on disk is synchronous, and the order of its calls is always the same. */
async function trace(program: Program, options: readonly string[]): Promise<Ended> {
  const args = ['-qq', '-o', join(program.scene.dir, 'trace'), ...options, process.execPath, ...program.args]
  const child = spawn('strace', args, { cwd: program.scene.dir, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (text += piece.toString()))
  // Node never ends when its own word to a thread gets lost; a hang after a call of ours is a failure
  const guard = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), 60_000)
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  clearTimeout(guard)
  return { code, signal, text }
}

/** The calls on files of the scene, from the first one that counts, in a run in which nothing fails. */
async function callsOf(program: Program, withEarlier: boolean): Promise<SystemCall[]> {
  await program.prepare(withEarlier)
  const { code, text } = await trace(program, ['-y', '-s', '300', '-e', `trace=${Object.keys(failures).join(',')}`])
  expect(code, text).toBe(0)
  const numbers = new Map<string, number>()
  const calls: SystemCall[] = []
  let isCounted = false
  for (const printed of readFileSync(join(program.scene.dir, 'trace'), 'utf8').split('\n')) {
    const line = printed.replace(/AT_FDCWD<[^>]*>/, 'AT_FDCWD')
    const name = /^(\w+)\(/.exec(line)?.[1]
    if (name === undefined || !Object.hasOwn(failures, name)) continue
    const number = (numbers.get(name) ?? 0) + 1
    numbers.set(name, number)
    isCounted ||= program.from.test(line)
    if (isCounted && isOurs(line, program)) calls.push({ name, number, text: line })
  }
  return calls
}

/** A bundler waits for its threads, so that now and then another call is the one of this number: Node itself ends when one of its own fails. */
function hitAnother(program: Program): boolean {
  const lines = readFileSync(join(program.scene.dir, 'trace'), 'utf8').split('\n')
  const hit = lines.find((line) => line.endsWith('(INJECTED)'))
  return hit !== undefined && !isOurs(hit.replace(/AT_FDCWD<[^>]*>/, 'AT_FDCWD'), program)
}

/** Whether a call is on a file of the scene, or says something to the person. */
function isOurs(line: string, { scene }: Program): boolean {
  return line.includes(scene.dir) || /^\w+\((AT_FDCWD, )?"[^/]/.test(line) || line.startsWith('write(2<')
}

/** Tries one way of failing at one call. */
async function tryOne(program: Program, call: SystemCall, { how, withEarlier }: { how: string; withEarlier: boolean }): Promise<Ended> {
  const options = ['-y', '-e', `trace=${call.name}`, '-e', `inject=${call.name}:${how}:when=${call.number}`]
  await program.prepare(withEarlier)
  let ended = await trace(program, options)
  for (let attempts = 1; attempts < 10 && hitAnother(program); attempts++) {
    await program.prepare(withEarlier)
    ended = await trace(program, options)
  }
  const { link, temporaries } = await program.scene.found()
  const told = `${how} at ${call.text}: ${ended.code ?? ended.signal}, ${link} link, ${temporaries.join()}\n${ended.text}`
  expect(ended.text, told).not.toMatch(/\n\s+at |internal error|node:internal/)
  if (ended.code === 0) expect(link, told).toBe('new')
  else if (ended.code !== null) expect(link, told).toBe(withEarlier ? 'earlier' : 'none')
  // A killed process can say nothing; then what lies there is whole all the same, as `found` has seen.
  else expect(how, told).toMatch(/^signal=/)
  const mayDie = how === 'signal=SIGKILL' || !program.listens
  if (ended.code === null) expect(mayDie || link !== 'new', told).toBe(true)
  if (how.startsWith('signal=')) expect([null, 0, 130, 143], told).toContain(ended.code)
  else if (ended.code !== 0) {
    expect([1, 2], told).toContain(ended.code)
    expect(ended.text, told).toMatch(/\bE_[A-Z_]+ \S/)
    expect(ended.text, told).toMatch(/^ {2}try +\S/m)
  }
  const mayLeave = call.name === 'unlink' || (how.startsWith('signal=') && mayDie)
  if (!mayLeave) expect(temporaries, told).toEqual([])
  return ended
}

function command(words: readonly string[], before: (scene: Scene) => void = () => {}): Program {
  const scene = new Scene('fault')
  return {
    scene,
    args: [bin, ...words, '-d', scene.links],
    listens: true,
    from: /^openat\(AT_FDCWD, "[^"]*\/key"/,
    prepare: async (withEarlier) => {
      await scene.reset(withEarlier)
      before(scene)
    },
  }
}

let unfinished: Uint8Array | undefined

/** What `record start` leaves; made once. */
function putUnfinished(scene: Scene): void {
  const path = join(scene.dir, `.build.${signer.key.keyid.slice(0, 8)}.link-unfinished`)
  if (unfinished === undefined) {
    const { status } = spawnSync(process.execPath, [bin, 'record', 'start', '-n', 'build', '-m', 'input'], { cwd: scene.dir, env })
    expect(status).toBe(0)
    unfinished = readFileSync(path)
  }
  writeFileSync(path, unfinished)
}

/** The plugin removes earlier links when a build begins, and so has none to lose: what counts begins with the temporary file of the new one. */
function plugin(): Program {
  const scene = new Scene('plugin')
  mkdirSync(join(scene.dir, 'node_modules'))
  for (const [name, from] of Object.entries({ 'unplugin-in-toto': '.', intoto: 'packages/intoto', rollup: 'node_modules/rollup' }))
    symlinkSync(join(repository, from), join(scene.dir, 'node_modules', name))
  writeFileSync(join(scene.dir, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(scene.dir, 'main.js'), 'export const main = 1\n')
  writeFileSync(
    join(scene.dir, 'build.mjs'),
    `import { rollup } from 'rollup'\nimport inToto from 'unplugin-in-toto/rollup'
try {
  const bundle = await rollup({ input: 'main.js', plugins: [inToto({ linkDir: 'links' })] })
  await bundle.write({ dir: 'dist' })
  await bundle.close()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}`,
  )
  return {
    scene,
    args: ['build.mjs'],
    listens: false,
    from: /^openat\(AT_FDCWD, "[^"]*\.link\.\d+\.[0-9a-f]+\.tmp"/,
    prepare: async () => {
      await scene.reset(false)
      rmSync(join(scene.dir, 'dist'), { recursive: true, force: true })
    },
  }
}

const recorded = ['-n', 'build', '-p', 'input']
const programs: Readonly<Record<string, () => Program>> = {
  run: () => command(['run', ...recorded, '-x']),
  'record stop': () => command(['record', 'stop', ...recorded], putUnfinished),
  plugin,
}

describe.skipIf(!hasStrace && process.env['CI_PEERS'] !== '1')('writing a link', () => {
  let counts: Record<string, { calls: number; tried: number; links: number; refusals: number; killed: number }>
  beforeAll(() => {
    counts = {}
  })

  test.each(Object.keys(programs))('by %s, with each call failing once', async (name) => {
    for (const withEarlier of share || name === 'plugin' ? [name === 'run'] : [true, false]) {
      const program = programs[name]!()
      const calls = await callsOf(program, withEarlier)
      const names = new Set(calls.map((call) => call.name))
      for (const needed of ['openat', 'write', 'fsync', 'close', 'link', 'rename', 'unlink']) expect(names).toContain(needed)
      const ways = calls.flatMap((call) => {
        const all = [...(failures[call.name] ?? []), ...signals]
        const isOfWriting = /\.tmp|\.link|links/.test(call.text)
        return (share ? (isOfWriting ? [all[0]!, ...(program.listens ? ['signal=SIGTERM'] : [])] : []) : all).map((how) => ({ call, how }))
      })
      const count = { calls: calls.length, tried: 0, links: 0, refusals: 0, killed: 0 }
      counts[`${name}${withEarlier ? ', with an earlier link' : ''}`] = count
      for (const { call, how } of ways) {
        const { code } = await tryOne(program, call, { how, withEarlier })
        count.tried++
        if (code === 0) count.links++
        else if (code === null) count.killed++
        else count.refusals++
      }
      expect(count.refusals).toBeGreaterThan(5)
    }
    console.table(counts)
  })
})
