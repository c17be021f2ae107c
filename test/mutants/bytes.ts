/**
 * Bytes and texts changed at random, with no idea of what they mean but for a few pieces that parsers care about. Called for every kind of input; the
 * changes that know the structure are in value.ts.
 */
import type { Random } from '../interop/random.ts'

/** Pieces that JSON, PEM, YAML, base64 and tar readers trip over. */
const pieces: readonly string[] = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  ' ',
  '\n',
  '\r\n',
  '\t',
  '\0',
  '\\u0000',
  '\\ud800',
  '\\u0061',
  '\ufeff',
  '\u2028',
  'ä',
  '\u{1F600}',
  '0',
  '-',
  '1e3',
  '1.0',
  'null',
  'true',
  'NaN',
  '{}',
  '[]',
  '""',
  '"signatures":[],',
  '"signed":{},',
  '"keyid":"",',
  '"__proto__":{},',
  '=',
  '====',
  '/',
  '../',
  '*',
  '[!',
  ']',
  '-----BEGIN PUBLIC KEY-----\n',
  '-----END PUBLIC KEY-----\n',
  '  - ',
  '&a ',
  '*a',
  '<<<<<<< ',
]

/** The bytes with one to three changes; pieces of `donor` come in now and then. */
export function mutateBytes(bytes: Uint8Array, random: Random, donor: Uint8Array = bytes): Uint8Array {
  let out = Buffer.from(bytes)
  for (let n = random.pick([1, 1, 1, 2, 3]); n > 0; n--) out = once(out, random, Buffer.from(donor))
  return new Uint8Array(out)
}

function once(bytes: Buffer, random: Random, donor: Buffer): Buffer<ArrayBuffer> {
  const at = random.below(bytes.length + 1)
  const to = Math.min(bytes.length, at + random.pick([0, 1, 1, 2, 4, 16, 64]))
  const between = (middle: Uint8Array, end = to): Buffer<ArrayBuffer> => Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(end)])
  switch (random.below(8)) {
    case 0: {
      const out = Buffer.from(bytes)
      if (at < out.length) out[at] = out[at]! ^ (1 << random.below(8))
      return out
    }
    case 1:
      return between(Buffer.from([random.below(256)]))
    case 2:
      return between(Buffer.alloc(0))
    case 3:
      return between(Buffer.from(random.pick(pieces)), random.chance(0.5) ? at : to)
    case 4:
      return between(bytes.subarray(at, to), at)
    case 5: {
      const from = random.below(donor.length + 1)
      return between(donor.subarray(from, from + random.pick([1, 8, 64, 512])))
    }
    case 6:
      return random.chance(0.2) ? Buffer.from(bytes.subarray(0, at)) : between(Buffer.from(bytes.subarray(at, to)).reverse())
    default: {
      // A letter for another one of its kind: what is hex stays hex, what is base64 stays base64.
      const out = Buffer.from(bytes)
      if (at < out.length) out[at] = random.pick([...bytes.subarray(Math.max(0, at - 32), at + 33)])
      return out
    }
  }
}
