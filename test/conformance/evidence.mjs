/** Cases about who signed what: envelopes, key ids, kinds of keys, thresholds, links. Lists only; world.mjs makes the files. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { artifacts, digest } from './world.mjs'

const twice = (e) => ({ ...e, signatures: [...e.signatures, { keyid: 'ab'.repeat(32), sig: e.payload === undefined ? 'abcd' : 'YWJj' }] })
const signature = (change) => (e) => ({ ...e, signatures: e.signatures.map((s) => ({ ...s, sig: change(s.sig) })) })
const metablock = { format: 'metablock' }
const everywhere = (o) => ({ root: o, writing: o, building: o })
const urlSafe = (text) => text.replaceAll('+', '-').replaceAll('/', '_')

/** A chain whose first step has this threshold and these people, each with a link of the given products. */
async function many(w, { threshold = 2, by = ['alice', 'bob'], products = {}, signers = by, step = {} }) {
  const one = { ...w.step('write', { by, threshold, products: ['CREATE *'] }), ...step }
  await w.root(w.layout([one]))
  for (const name of signers) await w.evidence(w.link('write', { products: artifacts(products[name] ?? { a: '1' }) }), name)
}

export const envelopes = [
  ['dsse', 'accept', '4.1', 'an honest chain in DSSE envelopes', (w) => w.chain()],
  ['metablock', 'accept', '4.1', 'an honest chain in Metablocks', (w) => w.chain(everywhere(metablock))],
  ['mixed', 'accept', '4.1', 'a DSSE layout over links in either format', (w) => w.chain({ building: metablock })],
  ['layout-unsigned', 'refuse', '5.2', 'nobody signed the layout', (w) => w.chain({ root: { by: [] } })],
  ['layout-by-stranger', 'refuse', '5.2', 'the layout is signed, but not by its owner', (w) => w.chain({ root: { by: ['mallory'] } })],
  [
    'stranger-under-owners-id',
    'refuse',
    '5.2',
    'a stranger signs under the owner’s key id',
    (w) => w.chain({ root: { by: ['mallory'], ids: () => [w.people.owner.ids.python, w.people.owner.ids.go] } }),
  ],
  [
    'two-owners',
    'accept',
    '5.2',
    'both owners signed',
    (w) => {
      w.owners = ['owner', 'owner2']
      return w.chain()
    },
  ],
  [
    'two-owners-one-signed',
    'refuse',
    '5.2',
    'of two owners that are asked for, one signed',
    (w) => {
      w.owners = ['owner', 'owner2']
      return w.chain({ root: { by: ['owner'] } })
    },
  ],
  [
    'payload-changed',
    'refuse',
    'DSSE protocol',
    'a link’s payload is another than the one that was signed',
    (w) => w.chain({ building: { edit: (e) => ({ ...e, payload: Buffer.from(JSON.stringify(w.link('build'))).toString('base64') }) } }),
  ],
  [
    'member-smuggled-into-layout',
    'refuse',
    '4.1',
    'an unknown member was put into a signed Metablock layout',
    (w) => w.chain({ root: { ...metablock, edit: (e) => ({ ...e, signed: { ...e.signed, extra: 1 } }) } }),
  ],
  [
    'member-smuggled-into-link',
    'refuse',
    '4.1',
    'an unknown member was put into a signed Metablock link',
    (w) => w.chain({ building: { ...metablock, edit: (e) => ({ ...e, signed: { ...e.signed, extra: 1 } }) } }),
  ],
  [
    'signature-cut',
    'refuse',
    '4.1',
    'a signature lacks its end',
    (w) => w.chain({ building: { ...metablock, edit: signature((s) => s.slice(0, -8)) } }),
  ],
  [
    'no-pae',
    'refuse',
    'DSSE protocol',
    'a DSSE payload signed as it stands, without its type',
    (w) => w.chain({ building: { pae: false } }),
  ],
  [
    'signature-in-other-encoding',
    'refuse',
    '4.1',
    'a Metablock signature in base64',
    (w) => w.chain({ building: { ...metablock, edit: signature((s) => Buffer.from(s, 'hex').toString('base64')) } }),
  ],
  [
    'hex-in-capitals',
    'accept',
    '4.1',
    'a Metablock signature in capital hex digits',
    (w) => w.chain({ building: { ...metablock, edit: signature((s) => s.toUpperCase()) } }),
  ],
  [
    'base64-url-safe',
    'accept',
    'DSSE protocol',
    'payload and signature in the URL-safe alphabet',
    (w) => w.chain({ building: { edit: (e) => signature(urlSafe)({ ...e, payload: urlSafe(e.payload) }) } }),
  ],
  [
    'payload-type-of-another',
    'refuse',
    'ITE-5',
    'a payload type that is not in-toto’s',
    (w) => w.chain({ root: { payloadType: 'application/json' } }),
  ],
  [
    'both-formats',
    'refuse',
    '4.1',
    'one file with the members of both formats: two readers would read two contents',
    (w) => w.chain({ root: { edit: (e) => ({ ...e, signed: w.layout([]) }) } }),
  ],
  ['unknown-signature-too', 'accept', '4.1', 'one more signature, by nobody that is known', (w) => w.chain({ root: { edit: twice } })],
  [
    'signatures-missing',
    'refuse',
    '4.1',
    'a layout without the member "signatures"',
    (w) => w.chain({ root: { ...metablock, edit: ({ signed }) => ({ signed }) } }),
  ],
]

const kind = (name, format) => [
  `${name}-${format}`,
  'accept',
  '4.2.1',
  `owner and functionary with a key of the kind ${name}, ${format}`,
  async (w) => {
    w.owners = [name]
    const step = w.step('write', { by: [name], products: ['CREATE *'] })
    await w.root(w.layout([step], { keys: { [w.people[name].id]: w.key(name) } }), { format })
    await w.evidence(w.link('write', { products: artifacts({ a: '1' }) }), name, { format })
  },
]

/** A chain in which alice's key object is another. */
const keyed = (change) => (w) => w.chain({ layout: (l) => void change(l.keys, w.people.alice.id, w) })

export const keys = [
  ...['ed25519', 'ecdsa', 'ecdsa-p384', 'ecdsa-p521', 'rsa'].map((name) => kind(name === 'ed25519' ? 'carol' : name, 'dsse')),
  ...['ecdsa', 'rsa'].map((name) => kind(name, 'metablock')),
  [
    'owner-under-go-id',
    'accept',
    '4.2.1',
    'the owner’s signature stands under the id that Go derives from the key',
    (w) => w.chain({ root: { ids: ({ ids }) => [ids.go] } }),
  ],
  [
    'owner-under-python-id',
    'accept',
    '4.2.1',
    'the owner’s signature stands under the id that Python derives',
    (w) => w.chain({ root: { ids: ({ ids }) => [ids.python] } }),
  ],
  [
    'link-under-other-id',
    'refuse',
    '4.4',
    'a functionary’s link under an id that the layout does not list',
    (w) => w.chain({ writing: { ids: ({ ids }) => [ids.go], file: `write.${w.people.alice.ids.go.slice(0, 8)}.link` } }),
  ],
  [
    'key-ids-at-odds',
    'refuse',
    '4.3',
    'a key listed under one id, with another inside',
    keyed((all, id, w) => void (all[id] = { ...all[id], keyid: w.people.bob.id })),
  ],
  [
    'key-of-another-kind',
    'refuse',
    '4.2.1',
    'an Ed25519 key that says it is RSA',
    keyed((all, id) => void (all[id] = { ...all[id], keytype: 'rsa', scheme: 'rsassa-pss-sha256' })),
  ],
  ['key-missing', 'refuse', '4.4', 'a step’s functionary has no key in the layout', keyed((all, id) => delete all[id])],
  [
    'key-of-unknown-kind-unused',
    'accept',
    '4.2.1',
    'a key of an unknown kind that nobody needs',
    keyed(
      (all) =>
        void (all['cd'.repeat(32)] = { keyid: 'cd'.repeat(32), keytype: 'dilithium', scheme: 'dilithium3', keyval: { public: 'ab' } }),
    ),
  ],
  [
    'ed25519-small-order',
    'refuse',
    'RFC 8032, 8.9',
    'a functionary’s key of small order, under which anybody signs anything',
    async (w) => {
      const id = 'ab'.repeat(32)
      const key = { keyid: id, keytype: 'ed25519', scheme: 'ed25519', keyval: { public: `01${'00'.repeat(31)}` } }
      await w.root(w.layout([{ ...w.step('write'), pubkeys: [id] }], { keys: { [id]: key } }))
      const sig = Buffer.from(`01${'00'.repeat(63)}`, 'hex').toString('base64')
      w.put('links/write.abababab.link', await w.sign(w.link('write'), [], { edit: (e) => ({ ...e, signatures: [{ keyid: id, sig }] }) }))
    },
  ],
]

export const thresholds = [
  ['two-agree', 'accept', '4.3.1, 5.2', 'threshold 2, two links that agree', (w) => many(w, {})],
  [
    'two-of-three',
    'accept',
    '4.3.1, 5.2',
    'threshold 2 of three, two links',
    (w) => many(w, { by: ['alice', 'bob', 'carol'], signers: ['alice', 'carol'] }),
  ],
  ['one-of-two', 'refuse', '5.2', 'threshold 2, one link', (w) => many(w, { signers: ['bob'] })],
  ['two-disagree', 'refuse', '5.2', 'threshold 2, two links with different products', (w) => many(w, { products: { bob: { a: '2' } } })],
  [
    'third-disagrees',
    'refuse',
    '5.2',
    'threshold 2, two links agree and a third does not',
    (w) => many(w, { by: ['alice', 'bob', 'carol'], products: { carol: { a: '2' } } }),
  ],
  [
    'threshold-1-disagree',
    'refuse',
    '5.2',
    'threshold 1, two functionaries contradict each other',
    (w) => many(w, { threshold: 1, products: { bob: { a: '2' } } }),
  ],
  [
    'same-link-copied',
    'refuse',
    '5.2',
    'alice’s link copied under bob’s name',
    async (w) => {
      await many(w, { signers: ['alice'] })
      w.put(`links/write.${w.people.bob.id.slice(0, 8)}.link`, w.files.get(`links/write.${w.people.alice.id.slice(0, 8)}.link`))
    },
  ],
  [
    'one-key-under-two-ids',
    'refuse',
    '5.2',
    'threshold 2 met by one key that the layout lists under two ids',
    async (w) => {
      const { ids } = w.people.alice
      const step = { ...w.step('write', { threshold: 2 }), pubkeys: [ids.python, ids.go] }
      const listed = { [ids.python]: w.key('alice'), [ids.go]: { ...w.key('alice'), keyid: ids.go } }
      await w.root(w.layout([step], { keys: listed }))
      for (const id of [ids.python, ids.go])
        await w.evidence(w.link('write'), 'alice', { ids: () => [id], file: `write.${id.slice(0, 8)}.link` })
    },
  ],
  [
    'pubkey-listed-twice',
    'refuse',
    '5.2',
    'threshold 2, one functionary listed twice',
    (w) => many(w, { by: ['alice', 'alice'], signers: ['alice'] }),
  ],
  ['threshold-above-keys', 'refuse', '4.3.1', 'threshold 3, two functionaries', (w) => many(w, { threshold: 3 })],
  ...[0, -1, '1', true, 1.5, null].map((threshold, i) => [
    `threshold-odd-${i + 1}`,
    'refuse',
    '4.3.1',
    `the threshold is ${JSON.stringify(threshold)}`,
    (w) => many(w, { step: { threshold } }),
  ]),
  [
    'threshold-missing',
    'refuse',
    '4.3.1',
    'a step without threshold',
    (w) => many(w, { step: { threshold: undefined }, signers: ['alice', 'bob'] }),
  ],
]

const fifo = (path) => execFileSync('mkfifo', [path])

export const links = [
  ['missing', 'refuse', '5.2', 'no link of the second step', (w) => w.chain({ build: () => undefined })],
  [
    'by-nobody-authorised',
    'refuse',
    '5.2',
    'a good link by somebody who may not do the step',
    (w) => w.chain({ building: { signer: 'carol', file: `build.${w.people.carol.id.slice(0, 8)}.link`, ids: () => [w.people.carol.id] } }),
  ],
  [
    'by-somebody-under-authorised-name',
    'refuse',
    '5.2',
    'somebody else’s signature in the functionary’s file, under the functionary’s id',
    (w) => w.chain({ building: { signer: 'mallory', ids: () => [w.people.bob.id] } }),
  ],
  [
    'of-another-step',
    'refuse',
    '4.4',
    'a link of one step, renamed for another',
    (w) => w.chain({ build: (l) => ({ ...l, name: 'write' }), building: { file: `build.${w.people.bob.id.slice(0, 8)}.link` } }),
  ],
  [
    'a-broken-one-too',
    'accept',
    '5.2',
    'threshold 1, one good link; the file of another functionary is no JSON',
    async (w) => {
      await many(w, { threshold: 1, signers: ['alice'] })
      w.put(`links/write.${w.people.bob.id.slice(0, 8)}.link`, 'no JSON')
    },
  ],
  ['empty-file', 'refuse', '4.4', 'the link is an empty file', (w) => w.chain({ building: { edit: () => '' } })],
  [
    'products-missing',
    'refuse',
    '4.4',
    'a signed link without the member "products"',
    (w) => w.chain({ build: ({ products: _, ...l }) => l }),
  ],
  ['products-null', 'refuse', '4.4', 'a signed link whose products are null', (w) => w.chain({ build: (l) => ({ ...l, products: null }) })],
  [
    'digest-not-hex',
    'refuse',
    '4.2.3',
    'a digest that is no hex',
    (w) => w.chain({ build: (l) => ({ ...l, products: { ...l.products, 'dist/b.js': { sha256: 'xyz' } } }) }),
  ],
  [
    'digest-no-map',
    'refuse',
    '4.2.3',
    'a digest as text in place of a map',
    (w) => w.chain({ build: (l) => ({ ...l, products: { 'dist/b.js': 'ab'.repeat(32) } }) }),
  ],
  [
    'digests-empty',
    'refuse',
    '4.2.3',
    'artifacts without any digest, which would match each other',
    (w) => w.chain({ write: (l) => ({ ...l, products: { 'src/a.js': {} } }), build: (l) => ({ ...l, materials: { 'src/a.js': {} } }) }),
  ],
  [
    'names-collide',
    'refuse',
    'CVE-2021-41087',
    'one file under two names in one link',
    (w) => w.chain({ build: (l) => ({ ...l, products: { ...l.products, 'x/../dist/a.js': digest('evil') } }) }),
  ],
  [
    'big-integer',
    'accept',
    '4.1',
    'an integer beyond 2^53 in the byproducts, which must keep its digits',
    (w) => w.chain({ build: (l) => ({ ...l, byproducts: { size: 9007199254740993n } }), building: metablock }),
  ],
  [
    'command-differs',
    'accept',
    '5.2',
    'another command than the expected one: a warning',
    (w) => w.chain({ build: (l) => ({ ...l, command: ['make', 'all'] }) }),
  ],
]

/** What lies where a file is expected. Refused within the time limit. */
export const faults = [
  ['layout-fifo', 'refuse', '5.2', 'the layout is a named pipe', async (w) => void (await w.chain(), w.files.set('root.layout', fifo))],
  [
    'link-fifo',
    'refuse',
    '5.2',
    'a link is a named pipe',
    async (w) => void (await w.chain(), w.files.set(`links/build.${w.people.bob.id.slice(0, 8)}.link`, fifo)),
  ],
  [
    'link-folder',
    'refuse',
    '5.2',
    'a link is a folder',
    async (w) => void (await w.chain(), w.files.set(`links/build.${w.people.bob.id.slice(0, 8)}.link`, (path) => mkdirSync(path))),
  ],
  [
    'link-loop',
    'refuse',
    '5.2',
    'a link is a symbolic link to itself',
    async (w) => void (await w.chain(), w.files.set(`links/build.${w.people.bob.id.slice(0, 8)}.link`, (path) => symlinkSync(path, path))),
  ],
  [
    'link-elsewhere',
    'refuse',
    '5.2',
    'a symbolic link to nothing',
    async (w) =>
      void (await w.chain(), w.files.set(`links/build.${w.people.bob.id.slice(0, 8)}.link`, (path) => symlinkSync('nowhere', path))),
  ],
  ['layout-absent', 'refuse', '5.2', 'there is no layout', async (w) => void (await w.chain(), w.files.delete('root.layout'))],
  ['links-absent', 'refuse', '5.2', 'there are no links', (w) => w.root(w.layout([w.step('write')]))],
  [
    'key-garbage',
    'refuse',
    '5.2',
    'the owner’s key file holds no key',
    async (w) => void (await w.chain(), (w.people = { ...w.people, owner: { ...w.people.owner, publicPem: 'no key\n' } })),
  ],
]
