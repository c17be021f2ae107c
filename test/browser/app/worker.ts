/** A worker without a document and without Node: verifies the chains it is given. */
import { judgeAll, type PackedChain } from './judge.ts'

const scope = globalThis as unknown as {
  addEventListener(type: 'message', listener: (event: { data: PackedChain[] }) => void): void
  postMessage(message: unknown): void
}

scope.addEventListener('message', (event) => {
  judgeAll(event.data).then(
    (outcomes) => scope.postMessage(outcomes),
    (error: unknown) => scope.postMessage(`the worker failed: ${String(error)}`),
  )
})
