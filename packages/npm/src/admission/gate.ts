/**
 * Waiting in turn, and not for ever: so many verdicts at a time, and an end to the patience for each. The handler sends everything through here that
 * could take long.
 */

/** Rejects when the signal is given, whatever the work does then; what it rejects with after that is nobody's any more. */
export function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

/** Lets so many in at a time; the others wait in the order in which they came. */
export class Gate {
  private free: number
  private readonly waiting: (() => void)[] = []

  constructor(places: number) {
    this.free = places
  }

  /** Does the work when it is its turn. A place is taken until the work ends, even where nobody waits for it any more: it should know the signal, too. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.enter(signal)
    const done = work().finally(() => this.leave())
    return within(signal, done)
  }

  private enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.free > 0) {
      this.free--
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener('abort', stop)
        resolve()
      }
      const stop = (): void => {
        this.waiting.splice(this.waiting.indexOf(enter), 1)
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', stop, { once: true })
      this.waiting.push(enter)
    })
  }

  private leave(): void {
    const next = this.waiting.shift()
    if (next === undefined) this.free++
    else next()
  }
}
