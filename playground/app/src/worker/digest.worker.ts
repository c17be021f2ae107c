/** Hashes away from the page's own thread. Speaks in plain text in, Answer out. */
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { hex } from './hex.ts'

export interface Answer {
  text: string
  digests: { name: string; hex: string }[]
}

const encoder = new TextEncoder()

self.addEventListener('message', (event: MessageEvent<string>) => {
  const bytes = encoder.encode(event.data)
  const answer: Answer = {
    text: event.data,
    digests: [
      { name: 'sha256', hex: hex(sha256(bytes)) },
      { name: 'sha512', hex: hex(sha512(bytes)) },
    ],
  }
  self.postMessage(answer)
})
