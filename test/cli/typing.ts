/**
 * A person at a terminal, for the tests of what asks: a command under `script` (of util-linux), which gives it a terminal, and keys that are typed once a
 * text has come. Where `script` is absent those tests are skipped aloud; with CI_PEERS=1 that is a failure.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { bareEnvironment, type CallOptions } from './command.ts'

/** Whether there can be a person. */
export const hasTerminal: boolean = found()

function found(): boolean {
  const { status } = spawnSync('script', ['-qec', 'true', '/dev/null'], { stdio: 'ignore' })
  if (status !== 0 && process.env['CI_PEERS'] === '1') throw new Error('script (util-linux) is not here')
  if (status !== 0) console.warn('skipped: script (util-linux) is not here, so that nobody types')
  return status === 0
}

/** What was on the screen, without colours and movements, and how the command ended. */
export interface Session {
  readonly code: number | null
  readonly text: string
}

/** Each key goes out when its text is there, once and in this order. */
export async function typed(words: readonly string[], keys: readonly (readonly [RegExp, string])[], o: CallOptions): Promise<Session> {
  const line = words.map((word) => `'${word}'`).join(' ')
  const env = bareEnvironment({ TERM: 'xterm', ...o.env })
  const child = spawn('script', ['-qefc', `stty cols 200; ${line}`, '/dev/null'], { cwd: o.cwd, env, stdio: ['pipe', 'pipe', 'inherit'] })
  let text = ''
  let from = 0
  let next = 0
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text = plain(text + more)
    const key = keys[next]
    const place = key === undefined ? -1 : text.slice(from).search(key[0])
    if (key === undefined || place < 0) return
    from = text.length
    next++
    child.stdin.write(key[1])
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, text }
}

/** What a terminal shows, roughly: lines, without what it obeys. */
function plain(text: string): string {
  return text.replaceAll(/\u001b\[[0-9;?]*[a-zA-Z]/g, '').replaceAll('\r', '')
}
