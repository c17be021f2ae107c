/**
 * The page that the browser opens: verifies all chains itself, has a worker verify them too, and sends both lists back to where it came from.
 */
import { judgeAll, type PackedChain } from './judge.ts'

const send = (where: string, outcome: unknown): Promise<Response> =>
  fetch(`/outcome/${where}`, { method: 'POST', body: JSON.stringify(outcome) })

async function run(): Promise<void> {
  const chains = (await (await fetch('/chains.json')).json()) as PackedChain[]
  await send('page', await judgeAll(chains))
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
  worker.addEventListener('error', (event) => void send('worker', `the worker failed: ${event.message}`))
  worker.addEventListener('message', (event: MessageEvent<unknown>) => void send('worker', event.data))
  worker.postMessage(chains)
}

run().catch((error: unknown) => send('page', `the page failed: ${String(error)}`))
