/**
 * The built command, as the tests of this folder call it: in a real process, with an environment that holds nothing of the machine's own keys.
 * Every call is checked for what must never be printed.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect } from 'vitest'
import { matches } from './matcher.ts'

export const bin: string = fileURLToPath(new URL('../../packages/cli/bin/intoto.js', import.meta.url))

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  out: string
  err: string
}

export interface CallOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
}

/** No keys, no colours, no CI of the machine that runs the tests, and nothing kept in the home of who runs them. */
export function bareEnvironment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {}
  for (const name of Object.keys(process.env)) {
    const foreign = /^(INTOTO_|npm_|NPM_|GITHUB_|FORCE_COLOR|NO_COLOR|CI$|NODE_|VITEST)/.test(name)
    if (!foreign) env[name] = process.env[name]
  }
  return { ...env, NODE_DISABLE_COMPILE_CACHE: '1', ...more }
}

/** Runs `intoto` to its end. */
export function intoto(args: readonly string[], o: CallOptions = {}): Ended {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
    cwd: o.cwd,
    env: bareEnvironment(o.env),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  const ended = { code: status, signal, out: stdout, err: stderr }
  checkDiscretion(ended, args)
  checkMatched(ended, args)
  return ended
}

/** The same beside others; for calls that are to be disturbed. */
export function start(args: readonly string[], o: CallOptions = {}): ReturnType<typeof spawn> {
  return spawn(process.execPath, [bin, ...args], { cwd: o.cwd, env: bareEnvironment(o.env), stdio: ['ignore', 'pipe', 'pipe'] })
}

/** What a started program printed, and how it ended. */
export async function endOf(child: ReturnType<typeof spawn>): Promise<Ended> {
  let [out, err] = ['', '']
  child.stdout?.on('data', (text: Buffer) => (out += text.toString('utf8')))
  child.stderr?.on('data', (text: Buffer) => (err += text.toString('utf8')))
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, out, err }
}

/** Runs `intoto` and expects success. */
export function mustRun(args: readonly string[], o: CallOptions = {}): Ended {
  const ended = intoto(args, o)
  expect(ended.code, `intoto ${args.join(' ')}\n${ended.out}${ended.err}`).toBe(0)
  return ended
}

/** Neither stack traces nor secrets, nor anything that a terminal would obey. */
function checkDiscretion({ out, err }: Ended, args: readonly string[]): void {
  const said = out + err
  if (!args.includes('--debug')) expect(said, args.join(' ')).not.toMatch(/\n\s+at .*[:)]|node:internal/)
  expect(said, args.join(' ')).not.toMatch(/PRIVATE KEY-----\s*[A-Za-z0-9+/=]{20}/)
  expect(said, args.join(' ')).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
}

/** Every line that begins with a code is one problem for an editor, and nothing else is. */
function checkMatched({ out, err }: Ended, args: readonly string[]): void {
  const said = `${out}\n${err}`
  const lines = said.split('\n').flatMap((line) => problemLine.exec(line)?.[1] ?? (line.startsWith('E_') ? line : []))
  expect(
    matches(said).map(({ code }) => code),
    args.join(' '),
  ).toEqual(lines)
}

/** A folder of this test file, gone when it ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'intoto-cli-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Lines of stderr that say what went wrong; remarks of a run are not among them. */
export function complaints(ended: Ended): string[] {
  return ended.err.split('\n').filter((line) => line !== '' && !line.startsWith('[in-toto]'))
}

/** What editors' problem matchers look for. */
export const problemLine: RegExp = /^(E_[A-Z_]+)\s+(\S+?)(?::(\d+))?\s/
