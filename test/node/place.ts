/** Folders and processes for the tests of `intoto/node`: everything made here is gone when the test file ends. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import fs, { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, expect } from 'vitest'
import { InTotoError, type Problem, type ProblemCode } from 'intoto'

const made: string[] = []
const started: ChildProcess[] = []

afterAll(() => {
  for (const child of started) child.kill('SIGKILL')
  for (const path of made) rmSync(path, { recursive: true, force: true })
})

/** A fresh folder with these files; a name may have folders in it. */
export function folder(files: Record<string, string | Uint8Array> = {}): string {
  const path = mkdtempSync(join(realpathSync(tmpdir()), 'intoto-test-'))
  made.push(path)
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), content)
  }
  return path
}

/** What was built of `intoto/node`, as a program outside of this process imports it. */
export const built: string = new URL('../../packages/intoto/dist/node/index.js', import.meta.url).href

/** A program in its own process, that may hang or be killed without taking the tests along. `n` is `intoto/node`. */
export function script(code: string): string {
  const path = join(folder(), 'script.mjs')
  writeFileSync(path, `import * as n from ${JSON.stringify(built)}\nimport fs from 'node:fs'\n${code}\n`)
  return path
}

/** Runs such a program to its end, or for fifty seconds. */
export function runScript(
  code: string,
  o: { args?: string[]; cwd?: string; shell?: string; env?: NodeJS.ProcessEnv } = {},
): { status: number | null; stdout: string; stderr: string } {
  const command = [process.execPath, script(code), ...(o.args ?? [])]
  const argv = o.shell === undefined ? command : ['sh', '-c', `${o.shell}; exec "$@"`, 'sh', ...command]
  const result = spawnSync(argv[0] ?? '', argv.slice(1), {
    encoding: 'utf8',
    timeout: 50_000,
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024 * 1024,
    cwd: o.cwd,
    env: o.env ?? process.env,
  })
  return { status: result.status, stdout: result.stdout, stderr: result.stderr }
}

/** Starts such a program. */
export function startScript(code: string, o: { args?: string[]; cwd?: string } = {}): ChildProcess {
  const child = spawn(process.execPath, [script(code), ...(o.args ?? [])], { cwd: o.cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  started.push(child)
  return child
}

/** The problem of a call that must fail with this code. */
export async function problemOf(call: () => unknown, code: ProblemCode): Promise<Problem> {
  let error: unknown
  try {
    await call()
  } catch (thrown) {
    error = thrown
  }
  expect(error, 'the call must fail').toBeInstanceOf(InTotoError)
  const { problem } = error as InTotoError
  expect(problem.code, problem.message).toBe(code)
  expect(problem.message).not.toMatch(/[\p{Cc}]/u)
  expect(problem.fix.length, 'a problem says what to do').toBeGreaterThan(0)
  return problem
}

type Call = (...args: never[]) => unknown
const originals = new Map<string, Call>()

/** Puts a function of `node:fs` in the place of the real one until the test ends; it is handed the real one. */
export function replaceFs(name: keyof typeof fs, make: (real: (...args: unknown[]) => unknown) => (...args: unknown[]) => unknown): void {
  const table = fs as unknown as Record<string, Call>
  const real = originals.get(name) ?? table[name]
  if (real === undefined) throw new Error(`fs.${name} does not exist`)
  originals.set(name, real)
  table[name] = make(real as (...args: unknown[]) => unknown)
  syncBuiltinESMExports()
}

afterEach(() => {
  const table = fs as unknown as Record<string, Call>
  for (const [name, real] of originals) table[name] = real
  originals.clear()
  syncBuiltinESMExports()
})

/** An error as the operating system gives it. */
export function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: injected`), { code })
}

/** Runs a call as a user without rights, where the tests run as root. */
export async function withoutRights<T>(call: () => T | Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return await call()
  process.seteuid?.(65_534)
  try {
    return await call()
  } finally {
    process.seteuid?.(0)
  }
}

/** Whether a program is installed. */
export function has(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined
}
