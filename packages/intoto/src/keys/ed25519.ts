/**
 * What both cryptographic implementations agree on before either looks at an Ed25519 signature (RFC 8032, 5.1.7; W3C Web Cryptography, Ed25519
 * verify): a scalar below the group order, points in their only encoding, and neither key nor R of small order. Implementations, and versions
 * of one, differ exactly there, and the verdict must not.
 */
import { fromHex } from '../encoding/bytes.ts'

/** Little-endian numbers: the field's prime, the order of the base point, and the d of the curve. */
const prime = fromHex('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f')
const order = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')
const factor = fromHex('a3785913ca4deb75abd841414d0a700098e879777940c78c73fe6f2bee6c0352')

/** The y of all points whose order divides 8; the sign bit of the encoding does not matter. */
const smallOrder: readonly Uint8Array[] = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
].map(fromHex)

/** a < b, both 32 bytes, little-endian. */
function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) if (a[i] !== b[i]) return a[i]! < b[i]!
  return false
}

/** The y of an encoded point. */
function ordinate(point: Uint8Array): Uint8Array {
  const y = point.slice()
  y[31]! &= 0x7f
  return y
}

/** True for an encoding of a point that has another one, and for every encoding of a point of small order. */
export function isWeakPoint(point: Uint8Array): boolean {
  const y = ordinate(point)
  return !isBelow(y, prime) || smallOrder.some((weak) => weak.every((byte, i) => byte === y[i]))
}

/** A number as RFC 8032 writes it. */
export function littleEndian(bytes: Uint8Array): bigint {
  let number = 0n
  for (let i = bytes.length - 1; i >= 0; i--) number = (number << 8n) | BigInt(bytes[i]!)
  return number
}

/**
 * Is there a point with this y, as for half of all: is (y² - 1) / (d·y² + 1) a square (RFC 8032, 5.1.3)? A quotient is one where the product is. Node takes any
 * 32 bytes for a key, under which no signature is good. The symbol of Jacobi tells it in a third of the time that a power takes.
 */
export function isOnCurve(point: Uint8Array): boolean {
  const [p, y] = [littleEndian(prime), littleEndian(ordinate(point))]
  return jacobi(((y * y - 1n + p) * (littleEndian(factor) * y * y + 1n)) % p, p) >= 0
}

/** Of a by n, which is odd. */
function jacobi(a: bigint, n: bigint): number {
  let symbol = 1
  while (a !== 0n) {
    while ((a & 1n) === 0n) {
      a >>= 1n
      if ((n & 7n) === 3n || (n & 7n) === 5n) symbol = -symbol
    }
    if ((a & 3n) === 3n && (n & 3n) === 3n) symbol = -symbol
    ;[a, n] = [n % a, a]
  }
  return n === 1n ? symbol : 0
}

/** May this pair be handed to an implementation? Says nothing about whether the signature is good. */
export function isPlausible(publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  return !isWeakPoint(publicKey) && !isWeakPoint(signature.subarray(0, 32)) && isBelow(signature.subarray(32), order)
}
