/**
 * One line on a terminal for work that takes long: what goes on, and how far it is. terminal.ts makes it where somebody looks, and takes the line
 * away before anything else is written. Nothing is shown of work that is done soon, and nothing stays of any.
 */

/** How long work keeps to itself, and how long a line stands before the next, in milliseconds. */
const patience = 400
const pause = 80
const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** Who is told of work. */
export interface Progress {
  /** So many files of all are done. Work that lets nothing else run calls it often; the line goes when all are done. */
  readonly files: (done: number, total: number) => void
  /** Shows what is waited for as long as it is. */
  during<T>(what: string, work: Promise<T>): Promise<T>
  /** Takes the line away, if one stands there; the next one comes when it would have come. */
  erase(): void
}

/** Where nobody looks. */
export const noProgress: Progress = { files: () => {}, during: (_what, work) => work, erase: () => {} }

/** Writes lines with `put`, which must not fail; a terminal that is gone shows nothing. */
export function createProgress(put: (text: string) => void, now: () => number = () => performance.now()): Progress {
  let began: number | undefined
  let last = -Infinity
  let isShown = false
  const attempt = (text: string): void => {
    try {
      put(text)
    } catch {
      // Nobody is left to look.
    }
  }
  const erase = (): void => {
    if (isShown) attempt('\r\u001b[K')
    isShown = false
  }
  const show = (what: () => string): void => {
    const time = now()
    began ??= time
    if (time - began < patience || time - last < pause) return
    last = time
    isShown = true
    attempt(`\r${frames[Math.floor(time / pause) % frames.length]} ${what()}\u001b[K`)
  }
  const end = (): void => {
    erase()
    began = undefined
  }
  return {
    files: (done, total) => (done < total ? show(() => filesLine(done, total)) : end()),
    during: async (what, work) => {
      began = now()
      const timer = setInterval(() => show(() => what), pause)
      try {
        return await work
      } finally {
        clearInterval(timer)
        end()
      }
    },
    erase,
  }
}

function filesLine(done: number, total: number): string {
  return `hashing, ${done.toLocaleString('en')} of ${total.toLocaleString('en')} ${total === 1 ? 'file' : 'files'}`
}
