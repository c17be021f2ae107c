/** The two fillings of `#crypto` against each other: keys, signatures and hashes of the one in the other. */
import { utf8, toHex } from 'intoto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import * as node from '../../packages/intoto/src/keys/crypto.node.ts'
import * as web from '../../packages/intoto/src/keys/crypto.web.ts'
import type { Crypto } from '../../packages/intoto/src/keys/crypto.ts'
import { isPlausible, isWeakPoint } from '../../packages/intoto/src/keys/ed25519.ts'
import { encryptPbes2 } from '../../packages/intoto/src/keys/pbes2.ts'
import { refusal } from './refusal.ts'
import { algorithmOf, type Algorithm } from '../../packages/intoto/src/keys/scheme.ts'

const fillings: readonly (readonly [string, Crypto])[] = [
  ['node', node],
  ['web', web],
]
const pairs = fillings.flatMap(([a, one]) => fillings.map(([b, other]) => [a, b, one, other] as const))
const algorithms: readonly Algorithm[] = [
  algorithmOf('ed25519', 'ed25519')!,
  algorithmOf('ecdsa', 'ecdsa-sha2-nistp256', 'P-256')!,
  algorithmOf('ecdsa', 'ecdsa-sha2-nistp384', 'P-384')!,
  algorithmOf('ecdsa', 'ecdsa-sha2-nistp521', 'P-521')!,
  algorithmOf('rsa', 'rsassa-pss-sha256')!,
  algorithmOf('rsa', 'rsa-pkcs1v15-sha512')!,
]
const data = utf8('what is signed')

it('both export the same names', () => {
  expect(Object.keys(node).sort()).toEqual(Object.keys(web).sort())
})

it('both hash alike', () => {
  for (const text of ['', 'abc', 'é'.repeat(1_000)]) {
    expect(web.sha256(utf8(text))).toEqual(node.sha256(utf8(text)))
  }
  expect(toHex(node.sha256(utf8('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})

/** RSA keys take long to find: each maker makes one. */
const found = new Map<string, Promise<Uint8Array>>()
function generated(name: string, maker: Crypto, algorithm: Algorithm): Promise<Uint8Array> {
  const id = algorithm.name.startsWith('RSA') ? `${name} RSA` : `${name} ${JSON.stringify(algorithm)}`
  const pkcs8 = found.get(id) ?? maker.generate(algorithm)
  found.set(id, pkcs8)
  return pkcs8
}

describe.each(pairs)('keys made by %s and used by %s', (a, _b, maker, user) => {
  it.each(algorithms.map((algorithm) => [algorithm.name, 'hash' in algorithm ? algorithm.hash : '', algorithm] as const))(
    '%s %s',
    async (_name, _hash, algorithm) => {
      const pkcs8 = await generated(a, maker, algorithm)
      const [made, used] = [await maker.importPrivate(algorithm, pkcs8), await user.importPrivate(algorithm, pkcs8)]
      expect(used.spki).toEqual(made.spki)
      expect(await user.isUsable(algorithm, made.spki)).toBe(true)
      for (const sig of [await made.sign(data), made.signSync?.(data)]) {
        if (sig === undefined) continue
        expect(await user.verify(algorithm, made.spki, data, sig)).toBe(true)
        expect(await user.verify(algorithm, made.spki, utf8('other'), sig)).toBe(false)
        expect(await user.verify(algorithm, made.spki.subarray(1), data, sig)).toBe(false)
        if (algorithm.name === 'Ed25519') expect(await used.sign(data)).toEqual(sig)
      }
    },
  )
})

it('both read the encrypted keys that are written for either', async () => {
  const pkcs8 = await node.generate(algorithms[0]!)
  const sealed = await encryptPbes2(pkcs8, 'pässword')
  for (const [, filling] of fillings) expect(await filling.decrypt(sealed, 'pässword')).toEqual(pkcs8)
})

it('neither uses a key for another type of algorithm', async () => {
  for (const [, filling] of fillings) {
    const { spki } = await filling.importPrivate(algorithms[1]!, await filling.generate(algorithms[1]!))
    for (const other of [algorithms[0]!, algorithms[4]!]) {
      expect(await filling.isUsable(other, spki)).toBe(false)
      expect(await filling.verify(other, spki, data, new Uint8Array(64))).toBe(false)
    }
  }
})

describe('a platform without WebCrypto', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
  })

  it('says so, and does not call a signature bad', async () => {
    const algorithm = algorithms[1]!
    const pkcs8 = await node.generate(algorithm)
    const key = await node.importPrivate(algorithm, pkcs8)
    const sig = await key.sign(data)
    vi.stubGlobal('crypto', { getRandomValues: globalThis.crypto.getRandomValues.bind(globalThis.crypto) })
    for (const run of [
      () => web.verify(algorithm, key.spki, data, sig),
      () => web.isUsable(algorithm, key.spki),
      () => web.importPrivate(algorithm, pkcs8),
      () => web.generate(algorithm),
      () => encryptPbes2(pkcs8, 'password'),
    ]) {
      expect(await refusal('E_UNSUPPORTED', run)).toMatch(/WebCrypto/)
    }
    const { signSync, spki } = web.importPrivateSync(algorithms[0]!, await web.generate(algorithms[0]!))
    expect(await web.verify(algorithms[0]!, spki, data, signSync!(data))).toBe(true)
  })

  it('says which algorithm it lacks', async () => {
    const algorithm = algorithms[3]!
    const { spki } = await node.importPrivate(algorithm, await node.generate(algorithm))
    const lacks = (): Promise<never> => Promise.reject(new DOMException('no such curve', 'NotSupportedError'))
    vi.stubGlobal('crypto', { subtle: { importKey: lacks } })
    for (const run of [() => web.verify(algorithm, spki, data, new Uint8Array(132)), () => web.isUsable(algorithm, spki)]) {
      expect(await refusal('E_UNSUPPORTED', run)).toMatch(/lacks this algorithm/)
    }
  })
})

describe('the check before both', () => {
  const key = new Uint8Array(32).fill(9)
  /** R, which like the key must be no weak point, and the scalar. */
  const signature = (point: Uint8Array, scalar: Uint8Array): Uint8Array => Buffer.concat([point, scalar])
  const zero = new Uint8Array(32)

  it('wants 32 and 64 bytes', () => {
    expect(isPlausible(key, signature(key, zero))).toBe(true)
    expect(isPlausible(key, signature(key, zero.subarray(1)))).toBe(false)
    expect(isPlausible(key, signature(key, new Uint8Array(33)))).toBe(false)
    expect(isPlausible(key.subarray(1), signature(key, zero))).toBe(false)
  })

  it('wants neither key nor R of small order', () => {
    const neutral = Uint8Array.of(1, ...zero.subarray(1))
    expect(isPlausible(neutral, signature(key, zero))).toBe(false)
    expect(isPlausible(key, signature(neutral, zero))).toBe(false)
  })

  it('wants a scalar below the group order, to the last bit', () => {
    const order = Buffer.from('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010', 'hex')
    const below = Buffer.from(order)
    below[0]! -= 1
    expect(isPlausible(key, signature(key, below))).toBe(true)
    expect(isPlausible(key, signature(key, order))).toBe(false)
  })

  it('wants every point in its only encoding', () => {
    const prime = Buffer.from('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'hex')
    const above = Buffer.from(prime)
    above[0]! += 5
    for (const point of [prime, above]) {
      expect(isWeakPoint(point)).toBe(true)
      expect(isPlausible(key, signature(point, zero))).toBe(false)
      expect(isPlausible(point, signature(key, zero))).toBe(false)
    }
    const below = Buffer.from(prime)
    below[0]! -= 3
    expect(isWeakPoint(below)).toBe(false)
  })

  it('is a key only when it is a point of the curve, in both fillings alike', async () => {
    const answers: boolean[] = []
    for (let first = 0; first < 64; first++) {
      const point = Uint8Array.of(first, ...zero.subarray(2), first < 32 ? 0 : 5)
      const spki = Buffer.from(`302a300506032b6570032100${toHex(point)}`, 'hex')
      const [onNode, onWeb] = await Promise.all([node.isUsable(algorithms[0]!, spki), web.isUsable(algorithms[0]!, spki)])
      expect([first, onNode]).toEqual([first, onWeb])
      answers.push(onNode)
    }
    expect([answers.includes(true), answers[2], answers[7]]).toEqual([true, false, false])
  })
})
