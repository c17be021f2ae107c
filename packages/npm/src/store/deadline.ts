/**
 * An end to waiting: for one request, and for a pull with all its requests. The timers keep no process alive, since a command that waits for nothing else is
 * at its end. `AbortSignal.any` would do if every Node that we run on kept the timers that it joins.
 */

/** A timer that should take longer is over at once. */
const longest = 2 ** 31 - 1

/** When the work has to end. */
export interface Deadline {
  readonly milliseconds: number
  /** What the work fails with when the time is over. */
  readonly late: () => Error
  /** Ends the work before its time, with its own reason. */
  readonly signal?: AbortSignal | undefined
}

/** Does the work under a signal that ends it. What it has begun and not awaited ends with it. */
export async function until<T>(o: Deadline, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const end = new AbortController()
  const give = (): void => end.abort(o.signal?.reason)
  const timer = setTimeout(() => end.abort(o.late()), Math.min(o.milliseconds, longest))
  timer.unref()
  if (o.signal?.aborted === true) give()
  o.signal?.addEventListener('abort', give, { once: true })
  try {
    return await work(end.signal)
  } finally {
    clearTimeout(timer)
    o.signal?.removeEventListener('abort', give)
    end.abort()
  }
}
