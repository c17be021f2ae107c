/**
 * What happens to signed files on their way: bytes changed, files lost, swapped, renamed, envelopes re-written. Some of it is harmless and must stay
 * so. The other half of tamper.ts, after the signature.
 */
import type { Plan } from './chain.ts'
import type { Random } from './random.ts'
import type { Files } from './seal.ts'

/** Changes files; false when these files give no chance to. */
export type Damage = (files: Files, random: Random, plan: Plan) => boolean | void

type Json = Record<string, unknown>
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')

function anyFile(files: Files, random: Random, only?: 'link'): string | undefined {
  const names = [...files.keys()].filter((name) => only === undefined || name !== 'root.layout')
  return names.length === 0 ? undefined : random.pick(names)
}

function onFile(change: (bytes: Uint8Array, random: Random) => Uint8Array | string | undefined, only?: 'link'): Damage {
  return (files, random) => {
    const name = anyFile(files, random, only)
    if (name === undefined) return false
    const changed = change(files.get(name)!, random)
    if (changed === undefined) return false
    files.set(name, typeof changed === 'string' ? Buffer.from(changed) : changed)
    return true
  }
}

/** Re-writes the envelope. Its text must survive `JSON.parse`, so files with integers beyond 2^53 or `__proto__` are left alone. */
function onEnvelope(change: (envelope: Json, random: Random) => boolean | void, only?: 'link'): Damage {
  return onFile((bytes, random) => {
    const envelope = JSON.parse(text(bytes)) as Json
    if (/9007199254740993/.test(text(bytes)) || change(envelope, random) === false) return undefined
    return JSON.stringify(envelope)
  }, only)
}

const signatures = (envelope: Json): Json[] => envelope['signatures'] as Json[]
const isDsse = (envelope: Json): boolean => 'payload' in envelope
const flip = (encoded: string, random: Random): string => {
  const at = random.below(encoded.length - 4)
  return encoded.slice(0, at) + (encoded[at] === 'a' ? 'b' : 'a') + encoded.slice(at + 1)
}

function onSignature(change: (signature: Json, random: Random, envelope: Json) => boolean | void): Damage {
  return onEnvelope((envelope, random) => change(random.pick(signatures(envelope)), random, envelope))
}

function onText(from: RegExp, to: string, only?: 'link'): Damage {
  return onFile((bytes) => {
    const changed = text(bytes).replace(from, to)
    return changed === text(bytes) ? undefined : changed
  }, only)
}

/** Re-writes the signed value with its signature left as it was. */
function onSigned(change: (signed: Json, random: Random) => boolean | void): Damage {
  return onEnvelope((envelope, random) => {
    const signed = isDsse(envelope)
      ? (JSON.parse(Buffer.from(envelope['payload'] as string, 'base64').toString()) as Json)
      : (envelope['signed'] as Json)
    if (change(signed, random) === false) return false
    if (isDsse(envelope)) envelope['payload'] = Buffer.from(JSON.stringify(signed)).toString('base64')
    return true
  })
}

/** Changes to files that are signed already. */
export const afterSigning: Record<string, Damage> = {
  'signature: a character changed': onSignature((s, random) => void (s['sig'] = flip(s['sig'] as string, random))),
  'signature: cut short': onSignature((s) => void (s['sig'] = (s['sig'] as string).slice(0, -8))),
  'signature: in the other encoding': onSignature((s, _, envelope) => {
    s['sig'] = isDsse(envelope)
      ? Buffer.from(s['sig'] as string, 'base64').toString('hex')
      : Buffer.from(s['sig'] as string, 'hex').toString('base64')
  }),
  'signature: capitals': onSignature((s, _, envelope) => (isDsse(envelope) ? false : void (s['sig'] = (s['sig'] as string).toUpperCase()))),
  'signature: url-safe alphabet': onSignature((s, _, envelope) =>
    isDsse(envelope) ? void (s['sig'] = (s['sig'] as string).replaceAll('+', '-').replaceAll('/', '_')) : false,
  ),
  'signature: no padding': onSignature((s, _, envelope) =>
    isDsse(envelope) ? void (s['sig'] = (s['sig'] as string).replaceAll('=', '')) : false,
  ),
  'signature: line feed inside': onSignature(
    (s) => void (s['sig'] = `${(s['sig'] as string).slice(0, 8)}\n${(s['sig'] as string).slice(8)}`),
  ),
  'signature: unknown member': onSignature((s) => void (s['cert'] = '')),
  'signature: key id gone': onSignature((s) => delete s['keyid']),
  'signature: key id empty': onSignature((s) => void (s['keyid'] = '')),
  'signature: key id of nobody': onSignature((s) => void (s['keyid'] = 'constructor')),
  'signature: a stranger first': onEnvelope(
    (e, random) => void signatures(e).unshift({ keyid: 'ab'.repeat(32), sig: random.pick(['', 'abcd', 'zz']) }),
  ),
  'signature: a stranger last': onEnvelope(
    (e, random) => void signatures(e).push({ keyid: 'cd'.repeat(32), sig: random.pick(['', 'abcd']) }),
  ),
  'signature: given twice': onEnvelope((e) => void signatures(e).push({ ...signatures(e)[0] })),
  'signature: a bad one of the same key first': onEnvelope((e) => void signatures(e).unshift({ ...signatures(e)[0], sig: 'abcd' })),
  'signature: a bad one of the same key last': onEnvelope((e) => void signatures(e).push({ ...signatures(e)[0], sig: 'abcd' })),
  'signatures: none': onEnvelope((e) => void (e['signatures'] = [])),
  'signatures: no list': onEnvelope((e, random) => void (e['signatures'] = random.pick<unknown>([null, {}, 'x']))),
  'signatures: gone': onEnvelope((e) => delete e['signatures']),
  'envelope: unknown member': onEnvelope((e) => void (e['extra'] = { a: 1 })),
  'envelope: both families': onEnvelope((e) => void (isDsse(e) ? (e['signed'] = { _type: 'link' }) : (e['payload'] = ''))),
  'envelope: members in another order': onEnvelope((e) => {
    for (const [name, value] of Object.entries(e).reverse()) {
      delete e[name]
      e[name] = value
    }
  }),
  'envelope: white space': onFile((bytes) => JSON.stringify(JSON.parse(text(bytes)), null, '\t').replaceAll('\n', '\r\n')),
  'envelope: payload type of something else': onEnvelope((e, random) =>
    isDsse(e) ? void (e['payloadType'] = random.pick(['application/json', 'application/vnd.in-toto.link+json', ''])) : false,
  ),
  'envelope: payload not encoded right': onEnvelope((e, random) =>
    isDsse(e) ? void (e['payload'] = `${e['payload'] as string}${random.pick(['!', '====', ' '])}`) : false,
  ),
  'payload: a member added': onSigned((signed) => void (signed['extra'] = 'x')),
  'payload: a member folded': onSigned((signed) => {
    signed['Name'] = 'x'
  }),
  'payload: an artifact changed': onSigned((signed, random) => {
    const artifacts = signed[random.pick(['materials', 'products'])] as Json | undefined
    const names = Object.keys(artifacts ?? {})
    if (names.length === 0) return false
    artifacts![random.pick(names)] = { sha256: '00'.repeat(32) }
    return true
  }),
  'payload: a rule taken away': onSigned((signed, random) => {
    const steps = signed['steps'] as Json[] | undefined
    return steps && steps.length > 0 ? void (random.pick(steps)['expected_products'] = []) : false
  }),
  'payload: re-written': onSigned(() => {}),
  'file: empty': onFile(() => ''),
  'file: cut short': onFile((bytes, random) => bytes.slice(0, random.below(bytes.length))),
  'file: a byte changed': onFile((bytes, random) => {
    const out = new Uint8Array(bytes)
    out[random.below(out.length)] = random.between(1, 255)
    return out
  }),
  'file: byte order mark': onFile((bytes) => `\ufeff${text(bytes)}`),
  'file: something behind it': onFile((bytes, random) => text(bytes) + random.pick(['{}', 'x', '\0', '\n\n  '])),
  'file: no JSON': onFile((_, random) => random.pick(['{', '[]', 'null', '"x"', '{}', '<html>'])),
  'file: a member twice': onText(/"signatures":/u, '"signatures":[],"signatures":'),
  'file: not a number': onText(/"return-value":\s*0/u, '"return-value":NaN'),
  'file: gone': (files, random) => {
    const name = anyFile(files, random, 'link')
    return name !== undefined && files.delete(name)
  },
  'files: two exchanged': (files, random) => {
    const [a, b] = random.sample(
      [...files.keys()].filter((name) => name !== 'root.layout'),
      2,
    )
    if (!a || !b) return false
    const kept = files.get(a)!
    files.set(a, files.get(b)!)
    files.set(b, kept)
    return true
  },
  'files: one copied over another': (files, random) => {
    const [a, b] = random.sample(
      [...files.keys()].filter((name) => name !== 'root.layout'),
      2,
    )
    if (!a || !b) return false
    files.set(a, files.get(b)!)
    return true
  },
  'file: name in capitals': (files, random) => {
    const name = anyFile(files, random, 'link')
    if (name === undefined) return false
    const moved = name.replace(/[0-9a-f]{8}\.link$/, (end) => end.toUpperCase())
    const bytes = files.get(name)!
    files.delete(name)
    files.set(moved, bytes)
    return true
  },
  'file: under a name of nobody': (files, random) => {
    const name = anyFile(files, random, 'link')
    if (name === undefined) return false
    files.set(name.replace(/[0-9a-f]{8}\.link$/, 'deadbeef.link'), files.get(name)!)
    return true
  },
}
