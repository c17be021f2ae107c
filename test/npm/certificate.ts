/** A certificate that signs itself, for loopback, made when a test runs: version 3, ECDSA P-256, for localhost and 127.0.0.1 (RFC 5280). */
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { derTag, writeElement, writeOid, writePositive } from '../../packages/intoto/src/encoding/der.ts'

/** What a server shows, and what its clients trust. */
export interface SelfSigned {
  readonly cert: string
  readonly key: string
}

const tags = { utf8: 0x0c, utcTime: 0x17, boolean: 0x01, set: 0x31, version: 0xa0, extensions: 0xa3, dnsName: 0x82, address: 0x87 }

const sequence = (...parts: Uint8Array[]): Uint8Array => writeElement(derTag.sequence, ...parts)
const text = (tag: number, value: string): Uint8Array => writeElement(tag, Buffer.from(value))
const bits = (bytes: Uint8Array): Uint8Array => writeElement(derTag.bitString, Uint8Array.of(0), bytes)
const pem = (label: string, bytes: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(bytes)
    .toString('base64')
    .replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`

/** A fresh one, valid from yesterday until tomorrow. */
export function selfSigned(): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const algorithm = sequence(writeOid('1.2.840.10045.4.3.2'))
  const name = sequence(writeElement(tags.set, sequence(writeOid('2.5.4.3'), text(tags.utf8, 'loopback'))))
  const day = (shift: number): Uint8Array =>
    text(tags.utcTime, `${new Date(Date.now() + shift * 86_400_000).toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`)
  const names = sequence(text(tags.dnsName, 'localhost'), writeElement(tags.address, Uint8Array.of(127, 0, 0, 1)))
  const constraints = sequence(writeElement(tags.boolean, Uint8Array.of(0xff)))
  const extension = (oid: string, value: Uint8Array): Uint8Array => sequence(writeOid(oid), writeElement(derTag.octetString, value))
  const body = sequence(
    writeElement(tags.version, writePositive(Uint8Array.of(2))),
    writePositive(Uint8Array.of(1)),
    algorithm,
    name,
    sequence(day(-1), day(1)),
    name,
    publicKey,
    writeElement(tags.extensions, sequence(extension('2.5.29.19', constraints), extension('2.5.29.17', names))),
  )
  const signature = sign('sha256', body, createPrivateKey(privateKey))
  return { cert: pem('CERTIFICATE', sequence(body, algorithm, bits(signature))), key: privateKey }
}
