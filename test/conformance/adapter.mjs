/**
 * Puts one case before one implementation: a fresh folder, one run of its adapter, and what came of it. Called by index.mjs. The protocol is in README.md.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { env, execPath, kill } from 'node:process'
import { fileURLToPath } from 'node:url'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const peers = env['INTOTO_PEERS'] ?? at('../../.cache/peers')

/** The three implementations: how they are called, and whether they are here. */
export const adapters = [
  { name: 'ours', command: [execPath, at('adapters/ours.mjs')], present: true },
  { name: 'Python', command: [join(peers, 'py/bin/python'), at('adapters/python.py')], present: existsSync(join(peers, 'py/bin/python')) },
  { name: 'Go', command: [execPath, at('adapters/go.mjs')], present: existsSync(join(peers, 'go/bin/in-toto')) },
]

/** An answer that takes longer is none. */
const seconds = 20
/** What a program says when it fell over in place of refusing. */
const trace = /Traceback \(most recent call last\)|^panic: |^goroutine \d+ |^\s+at .*\(?(?:node:|file:)/m

/** What an implementation did with a case: `accepts`, `refuses`, `crashes`, `hangs`, or `acts`: it ran what it must not have run. */
export async function judge(one, { command }) {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'))
  try {
    one.write(folder)
    const { code, said } = await run([...command, folder])
    if (one.mustNotCreate.some((name) => existsSync(join(folder, 'work', name)))) return { did: 'acts', said }
    if (code === undefined) return { did: 'hangs', said }
    if (![0, 1, 2].includes(code) || trace.test(said)) return { did: 'crashes', said }
    return { did: code === 0 ? 'accepts' : 'refuses', said }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Exit code, -1 when a signal ended it, undefined when time was up; and the end of what it said. */
function run([program, ...args]) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: { ...env, NO_COLOR: '1' } })
    let said = ''
    let isLate = false
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said = (said + text).slice(-4000)))
    const timer = setTimeout(() => {
      isLate = true
      // The group: an implementation may wait for a child of its own.
      if (child.pid !== undefined) kill(-child.pid, 'SIGKILL')
    }, seconds * 1000)
    child.on('error', reject).on('close', (code) => {
      clearTimeout(timer)
      resolve({ code: isLate ? undefined : (code ?? -1), said })
    })
  })
}
