/** What each digest is for; loaded when somebody asks. */
import algorithms from './data/algorithms.json'

export interface Explanation {
  name: string
  text: string
}

export function explain(): Explanation[] {
  return algorithms.map(({ name, bits, note }) => ({ name, text: `${bits} bits. ${note}` }))
}
