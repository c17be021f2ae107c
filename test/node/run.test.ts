import { spawnSync, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runStep } from 'intoto/node'
import { folder, problemOf, runScript, startScript, withoutRights } from './place.ts'

const node = process.execPath
const posix = process.platform !== 'win32'
const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex')
const js = (code: string, ...args: string[]): string[] => [node, '-e', code, ...args]

describe('runStep', () => {
  it('records materials before the command and products after it', async () => {
    const cwd = folder({ a: 'before' })
    const command = js(`require('fs').writeFileSync('a', 'after'); require('fs').writeFileSync('b', 'new')`)
    const { link, code } = await runStep({ step: 'build', command, cwd, materials: ['.'], products: ['.'] })
    expect(code).toBe(0)
    expect(link).toEqual({
      _type: 'link',
      name: 'build',
      materials: { a: { sha256: sha256('before') } },
      products: { a: { sha256: sha256('after') }, b: { sha256: sha256('new') } },
      byproducts: { 'return-value': 0, stdout: '', stderr: '' },
      command,
      environment: {},
    })
  })

  it('names artifacts from the base while the command runs elsewhere', async () => {
    const base = folder({ 'app/a': 'x' })
    const { link } = await runStep({
      step: 's',
      command: js(`require('fs').writeFileSync('made', '')`),
      cwd: join(base, 'app'),
      base,
      products: ['app'],
    })
    expect(Object.keys(link.products).sort()).toEqual(['app/a', 'app/made'])
  })

  it('records without a command when there is none', async () => {
    const { link, code } = await runStep({ step: 's', command: [], cwd: folder({ a: 'x' }), materials: ['a'] })
    expect(code).toBe(0)
    expect(link.byproducts).toEqual({})
    expect(link.command).toEqual([])
    expect(Object.keys(link.materials)).toEqual(['a'])
  })

  it('gives a link with the exit code of a command that fails', async () => {
    const { link, code } = await runStep({ step: 's', command: js('process.exit(7)') })
    expect(code).toBe(7)
    expect(link.byproducts['return-value']).toBe(7)
  })

  it.skipIf(!posix)('gives 128 plus the number of the signal that ended the command, and records it as the reference does', async () => {
    const { link, code, signal } = await runStep({ step: 's', command: js(`process.kill(process.pid, 'SIGKILL')`) })
    expect([code, signal, link.byproducts['return-value']]).toEqual([137, 'SIGKILL', -9])
  })

  it('hands arguments to the command as they are: there is no shell', async () => {
    const cwd = folder()
    const args = ['$(touch x)', '; touch x', '`touch x`', '* ?', '', '"quoted"', "'", '\n', '{NAME}', '%PATH%']
    await runStep({ step: 's', command: js(`require('fs').writeFileSync('args', JSON.stringify(process.argv.slice(1)))`, ...args), cwd })
    expect(JSON.parse(readFileSync(join(cwd, 'args'), 'utf8'))).toEqual(args)
    expect(existsSync(join(cwd, 'x'))).toBe(false)
  })

  it('refuses a command that cannot be started, in one line', async () => {
    const cwd = folder({ script: '#!/bin/sh\n' })
    const absent = await problemOf(() => runStep({ step: 's', command: ['no-such-program-anywhere'], cwd }), 'E_CONFIG')
    expect(absent.message).toContain('no-such-program-anywhere: not found')
    await problemOf(() => runStep({ step: 's', command: [join(cwd, 'absent')], cwd }), 'E_CONFIG')
    await problemOf(() => runStep({ step: 's', command: [''], cwd }), 'E_CONFIG')
    await problemOf(() => runStep({ step: 's', command: ['a\0b'], cwd }), 'E_CONFIG')
    await problemOf(() => runStep({ step: 's', command: js(''), cwd: join(cwd, 'absent'), base: cwd }), 'E_CONFIG')
    if (!posix) return
    chmodSync(cwd, 0o755)
    chmodSync(join(cwd, 'script'), 0o644)
    const locked = await withoutRights(() => problemOf(() => runStep({ step: 's', command: [join(cwd, 'script')], cwd }), 'E_CONFIG'))
    expect(locked.message).toContain('may not be executed')
  })

  it('keeps keys and passwords from the command', async () => {
    const cwd = folder()
    const names = ['INTOTO_KEY', 'INTOTO_KEY_FILE', 'INTOTO_PASSWORD', 'INTOTO_PASSWORD_FILE']
    const env = { ...process.env, OTHER: 'kept', ...Object.fromEntries(names.map((name) => [name, 'canary'])) }
    const command = js(`require('fs').writeFileSync('env', JSON.stringify(process.env))`)
    const { link } = await runStep({ step: 's', command, cwd, env, streams: true })
    const seen = readFileSync(join(cwd, 'env'), 'utf8')
    expect(seen).toContain('"OTHER":"kept"')
    expect(seen).not.toContain('canary')
    expect(JSON.stringify(link)).not.toContain('kept')
  })

  it('records streams on request, and passes them on', () => {
    const code = `const { link } = await n.runStep({ step: 's', command: [process.execPath, '-e', 'console.log("out ü"); console.error("err")'], streams: true })
      fs.writeFileSync('link', JSON.stringify(link.byproducts))`
    const cwd = folder()
    const { stdout, stderr } = runScript(code, { cwd })
    expect([stdout, stderr]).toEqual(['out ü\n', 'err\n'])
    expect(JSON.parse(readFileSync(join(cwd, 'link'), 'utf8'))).toEqual({ 'return-value': 0, stdout: 'out ü\n', stderr: 'err\n' })
  })

  it('keeps both ends of a flood and the total, in bounded memory, and passes all of it on', () => {
    const cwd = folder({
      'flood.mjs': `import fs from 'node:fs'\nfs.writeSync(1, 'first')\nconst piece = Buffer.alloc(1 << 20, 'x')\nfor (let i = 0; i < 300; i++) for (let done = 0; done < piece.length; ) { try { done += fs.writeSync(1, piece, done) } catch (e) { if (e.code !== 'EAGAIN') throw e } }\nfs.writeSync(1, 'last')\n`,
    })
    const code = `const { link } = await n.runStep({ step: 's', command: [process.execPath, 'flood.mjs'], streams: true })
      const { stdout, ...rest } = link.byproducts
      fs.writeFileSync('seen', JSON.stringify({ ...rest, length: stdout.length, start: stdout.slice(0, 6), end: stdout.slice(-5), small: process.resourceUsage().maxRSS < 400 * 1024 }))`
    const result = runScript(code, { cwd, shell: `exec 3>&1; exec > counted` })
    expect(result.stderr).toBe('')
    const total = 300 * 2 ** 20 + 9
    const seen = JSON.parse(readFileSync(join(cwd, 'seen'), 'utf8'))
    expect(seen).toMatchObject({ 'return-value': 0, 'stdout-bytes': total, start: 'firstx', end: 'xlast', small: true })
    expect(seen.length).toBeLessThan(2 ** 21 + 100)
    expect(spawnSync('wc', ['-c', join(cwd, 'counted')], { encoding: 'utf8' }).stdout).toContain(String(total))
  })

  it('survives a reader that goes away', () => {
    const cwd = folder()
    const code = `const { link, code } = await n.runStep({ step: 's', command: [process.execPath, '-e', 'for (let i = 0; i < 200; i++) console.log("x".repeat(10000))'], streams: true })
      fs.writeFileSync('seen', JSON.stringify([code, link.byproducts.stdout.length]))`
    const quiet = spawnSync('sh', ['-c', `"$0" "$1" | head -c 10 > /dev/null`, node, writeScript(cwd, code)], {
      cwd,
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect(quiet.stderr).toBe('')
    expect(JSON.parse(readFileSync(join(cwd, 'seen'), 'utf8'))).toEqual([0, 2_000_200])
  })

  it.skipIf(!posix)('does not wait for a child in the background that holds the streams', () => {
    const code = `const { code, link } = await n.runStep({ step: 's', command: ['sh', '-c', 'sleep 60 & echo $!; echo done'], streams: true })
      console.log(code, link.byproducts.stdout.endsWith('done\\n'))`
    const { stdout, status } = runScript(code)
    const [pid, ...rest] = stdout.trim().split('\n')
    process.kill(Number(pid), 'SIGKILL')
    expect([status, rest]).toEqual([0, ['done', '0 true']])
  })

  it.skipIf(!posix)('ends a command that runs out of time, with all that it started, and gives no link', async () => {
    const cwd = folder()
    const command = ['sh', '-c', `trap '' TERM; sleep 60 & echo $! > pid; wait; sleep 60`]
    const problem = await problemOf(() => runStep({ step: 's', command, cwd, timeout: 1000 }), 'E_NOT_RECORDED')
    expect(problem.message).toContain('after 1 s')
    expect(await gone(Number(readFileSync(join(cwd, 'pid'), 'utf8')))).toBe(true)
  })

  it('gives no link when a material cannot be read, and does not run the command', async () => {
    const cwd = folder({ a: '' })
    const command = js(`require('fs').writeFileSync('ran', '')`)
    await problemOf(() => runStep({ step: 's', command, cwd, materials: ['absent'], strict: true }), 'E_NOT_RECORDED')
    expect(existsSync(join(cwd, 'ran'))).toBe(false)
  })

  it.skipIf(!posix).each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'passes %s on, waits, ends the group and gives no link',
    async (signal) => {
      const cwd = folder()
      const parent = startScript(
        `try {
        await n.runStep({ step: 's', command: ['sh', '-c', 'trap "echo got > trapped; exit 0" INT TERM HUP; sleep 60 & echo $! > pid; wait; wait'], products: ['.'] })
        console.log('link')
      } catch (error) { console.log(error.name, error.code, error.signal); process.exitCode = error.exitCode }`,
        { cwd },
      )
      await appears(join(cwd, 'pid'))
      parent.kill(signal)
      const { code, stdout } = await output(parent)
      expect(stdout).toBe(`InterruptedError E_NOT_RECORDED ${signal}\n`)
      expect(code).toBe({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal])
      expect(existsSync(join(cwd, 'trapped'))).toBe(true)
      expect(await gone(Number(readFileSync(join(cwd, 'pid'), 'utf8')))).toBe(true)
    },
  )

  it.skipIf(!posix)('kills what ignores the first signal at the second one', async () => {
    const cwd = folder()
    const parent = startScript(
      `try { await n.runStep({ step: 's', command: ['sh', '-c', 'trap "" INT; echo $$ > pid; while :; do sleep 1; done'] }) } catch (error) { process.exitCode = error.exitCode }`,
      { cwd },
    )
    await appears(join(cwd, 'pid'))
    parent.kill('SIGINT')
    await new Promise((resolve) => setTimeout(resolve, 300))
    parent.kill('SIGINT')
    expect((await output(parent)).code).toBe(130)
    expect(await gone(Number(readFileSync(join(cwd, 'pid'), 'utf8')))).toBe(true)
  })

  it('leaves no signal handlers behind', async () => {
    const before = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) => process.listenerCount(signal))
    await runStep({ step: 's', command: js('') })
    await problemOf(() => runStep({ step: 's', command: ['no-such-program-anywhere'] }), 'E_CONFIG')
    expect((['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) => process.listenerCount(signal))).toEqual(before)
  })
})

function writeScript(at: string, code: string): string {
  const path = join(at, 'script.mjs')
  const built = new URL('../../packages/intoto/dist/node/index.js', import.meta.url).href
  writeFileSync(path, `import * as n from ${JSON.stringify(built)}\nimport fs from 'node:fs'\n${code}\n`)
  return path
}

async function output(child: ChildProcess): Promise<{ code: number | null; stdout: string }> {
  let stdout = ''
  child.stdout?.on('data', (piece: Buffer) => (stdout += piece.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, stdout }
}

async function appears(path: string): Promise<void> {
  while (!existsSync(path) || readFileSync(path, 'utf8') === '') await new Promise((resolve) => setTimeout(resolve, 10))
}

/** Whether a process ends within five seconds; one that is dead but not yet collected has ended. */
async function gone(pid: number): Promise<boolean> {
  for (let i = 0; i < 250; i++) {
    try {
      process.kill(pid, 0)
      if (existsSync(`/proc/${pid}/stat`) && readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('Z')) return true
    } catch {
      return true
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return false
}
