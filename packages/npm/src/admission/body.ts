/**
 * The body of a request, whole or refused: bounded for itself and together with all others that are being received, whatever length was announced.
 * The handler calls it. It parses nothing.
 */
import { RequestError } from './answer.ts'
import { within } from './gate.ts'
import type { AdmissionLimits } from './options.ts'

const firstRoom = 16 * 1024

/** Receives bodies, and knows how much is being received. */
export class Reception {
  private readonly limits: AdmissionLimits
  private pending = 0

  constructor(limits: AdmissionLimits) {
    this.limits = limits
  }

  /**
   * The bytes of a body.
   * @throws RequestError 400: it broke off; 408: it did not come in time; 413: too large; 503: too much is being received
   */
  async receive(request: Request, signal: AbortSignal): Promise<Uint8Array> {
    if (Number(request.headers.get('content-length') ?? 0) > this.limits.bodyBytes) throw this.tooLarge()
    if (request.body === null) return new Uint8Array()
    const reader = request.body.getReader()
    const body = new Growing()
    try {
      for (;;) {
        const { done, value } = await within(signal, reader.read() as Promise<{ done: boolean; value?: unknown }>)
        if (done) return body.bytes()
        if (!(value instanceof Uint8Array)) throw broken()
        this.pending += value.length
        body.add(value, this.limits.bodyBytes)
        if (body.length > this.limits.bodyBytes) throw this.tooLarge()
        if (this.pending > this.limits.pendingBytes) throw this.tooMuch()
      }
    } catch (error) {
      reader.cancel().catch(() => undefined)
      if (signal.aborted) throw tooLate()
      throw error instanceof RequestError ? error : broken(error)
    } finally {
      this.pending -= body.length
    }
  }

  private tooLarge(): RequestError {
    const message = `the request is larger than the limit of ${this.limits.bodyBytes} bytes (bodyBytes)`
    return new RequestError(413, { code: 'E_FORMAT', message, fix: 'ask for less at once, or raise the limit "bodyBytes"' })
  }

  private tooMuch(): RequestError {
    const message = `more than the limit of ${this.limits.pendingBytes} bytes are being received (pendingBytes)`
    return new RequestError(503, { code: 'E_IO', message, fix: 'try again in a moment' })
  }
}

function tooLate(): RequestError {
  return new RequestError(408, { code: 'E_IO', message: 'the request did not come to its end in time', fix: 'send it again' })
}

function broken(cause?: unknown): RequestError {
  const error = new RequestError(400, { code: 'E_FORMAT', message: 'the request broke off', fix: 'send it again' })
  return Object.assign(error, cause === undefined ? {} : { cause })
}

/** Bytes in one place: a list of pieces would take many times the room of those that come one by one. */
class Growing {
  length = 0
  private room: Uint8Array = new Uint8Array(firstRoom)

  add(piece: Uint8Array, most: number): void {
    const end = this.length + piece.length
    if (end <= most && end > this.room.length) {
      const larger = new Uint8Array(Math.min(Math.max(this.room.length * 2, end), most))
      larger.set(this.room.subarray(0, this.length))
      this.room = larger
    }
    if (end <= most) this.room.set(piece, this.length)
    this.length = end
  }

  bytes(): Uint8Array {
    return this.room.subarray(0, this.length)
  }
}
