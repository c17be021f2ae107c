/**
 * The two other implementations of in-toto as the tests see them: a long-lived driver for each (a process per chain would cost more than
 * the chains), and the paths of their own commands. Every interoperability test starts here; it holds no opinion about any verdict.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe } from 'vitest'

export type PeerName = 'python' | 'go'

/** What a driver says: the operation's own members, or why it failed. A refusal (`ok: false`) is an answer, not an error. */
export interface Answer {
  ok: boolean
  /** Class of the failure in the peer; `panic` when Go panicked, `driver` when our request was at fault. */
  kind?: string
  message?: string
  [member: string]: unknown
}

export interface Peer {
  readonly name: PeerName
  /** Sends one request. Requests are answered in order, so any number may be under way. @throws when the driver has died */
  ask(op: string, request: Record<string, unknown>): Promise<Answer>
  /** The same with a request that is JSON text already (values that `JSON.stringify` would round). */
  askText(op: string, members: Record<string, string>): Promise<Answer>
  close(): void
}

const folder = process.env['INTOTO_PEERS'] ?? fileURLToPath(new URL('../../.cache/peers', import.meta.url))
const drivers: Record<PeerName, string[]> = {
  python: [join(folder, 'py/bin/python'), fileURLToPath(new URL('peer.py', import.meta.url))],
  go: [join(folder, 'go/bin/peer')],
}

/** Path of a peer's own command: `in-toto-run`, `in-toto-sign`, … of Python; `in-toto` of Go. */
export function peerCommand(name: PeerName, command: string): string {
  return join(folder, name === 'python' ? 'py/bin' : 'go/bin', command)
}

/** Whether both peers are installed. */
export const havePeers: boolean = Object.values(drivers).every(([file]) => existsSync(file!))
if (!havePeers) {
  const word = 'in-toto for Python and for Go are not installed (bash .ci/peers)'
  if (process.env['CI_PEERS'] === '1') throw new Error(word)
  console.warn(`skipped: ${word}`)
}

/** A suite that needs both peers: skipped where they are not installed. */
export const describeWithPeers: typeof describe = (havePeers ? describe : describe.skip) as typeof describe

/** Starts a peer's driver. */
export function startPeer(name: PeerName): Peer {
  const [command, ...rest] = drivers[name]
  const child: ChildProcessWithoutNullStreams = spawn(command!, rest, { stdio: 'pipe' })
  const waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void }[] = []
  let said = ''
  let ended: Error | undefined
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)))
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.resolve(JSON.parse(line) as Answer))
  const end = (why: string): void => {
    ended ??= new Error(`the ${name} peer ${why}: ${said}`)
    for (const { reject } of waiting.splice(0)) reject(ended)
  }
  child.on('error', (error) => end(error.message)).on('close', (code) => end(`ended with ${code}`))
  child.stdin.on('error', () => end('stopped listening'))
  const send = (line: string): Promise<Answer> =>
    new Promise((resolve, reject) => {
      if (ended) return reject(ended)
      waiting.push({ resolve, reject })
      child.stdin.write(`${line}\n`)
    })
  return {
    name,
    ask: (op, request) => send(JSON.stringify({ op, ...request })),
    askText: (op, members) => {
      const texts = Object.entries(members).map(([member, text]) => `,${JSON.stringify(member)}:${text}`)
      return send(`{"op":${JSON.stringify(op)}${texts.join('')}}`)
    },
    close: () => void child.stdin.end(),
  }
}
