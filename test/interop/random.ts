/**
 * Reproducible chance for the generators of this folder: everything random in a test comes from one seed, which the test prints.
 */

/** A seeded source of choices (mulberry32: small, fast, good enough to pick test data). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A whole number from 0 up to, not including, `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit)
  }

  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.below(1e6) < probability * 1e6
  }

  /** One of the list, which must not be empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  /** The list in another order. */
  shuffle<T>(list: readonly T[]): T[] {
    const out = [...list]
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      ;[out[i], out[j]] = [out[j]!, out[i]!]
    }
    return out
  }

  /** So many of the list, or all of a shorter one, in any order. */
  sample<T>(list: readonly T[], count: number): T[] {
    return this.shuffle(list).slice(0, count)
  }
}

/** The seed to use: `INTOTO_SEED` when it is set, else the usual one, else a new one. */
export function chosenSeed(usual?: number): number {
  const given = process.env['INTOTO_SEED']
  return given ? Number(given) >>> 0 : (usual ?? (Date.now() ^ (process.pid << 16)) >>> 0)
}
