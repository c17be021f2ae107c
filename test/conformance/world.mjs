/**
 * One case of the kit while it is made: people with throw-away keys, a small honest chain to start from, and the files as they will lie in the case's
 * folder. Called by the lists of cases; it judges nothing, and signs whatever it is told to, broken metadata too.
 */
import { createHash, generateKeyPairSync } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { canonicalJson, importSigner, keyidFor, stringifyJson, toLayoutKey } from 'intoto'

/** Digest map of a content. */
export const digest = (content) => ({ sha256: createHash('sha256').update(content).digest('hex') })

/** Artifacts from names and contents. */
export const artifacts = (contents) => Object.fromEntries(Object.entries(contents).map(([name, content]) => [name, digest(content)]))

/** Rules from lines: words are parted by spaces. */
export const rules = (...lines) => lines.map((line) => line.split(' '))

const curves = { ecdsa: 'P-256', 'ecdsa-p384': 'P-384', 'ecdsa-p521': 'P-521' }

async function makePerson(type) {
  const pair =
    type === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : type.startsWith('rsa')
        ? generateKeyPairSync('rsa', { modulusLength: Number(type.slice(3) || 2048) })
        : generateKeyPairSync('ec', { namedCurve: curves[type] })
  const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' })
  const signer = await importSigner(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const ids = { python: keyidFor(signer.key, 'python'), go: keyidFor(signer.key, 'go') }
  return { publicPem, signer, key: signer.key, id: ids.python, ids }
}

/** People by name, made once for all cases; names begin with the kind of key where it is not Ed25519. */
export async function makePeople() {
  const types = { owner: 'ed25519', owner2: 'ed25519', alice: 'ed25519', bob: 'ed25519', carol: 'ed25519', mallory: 'ed25519' }
  for (const type of ['ecdsa', 'ecdsa-p384', 'ecdsa-p521', 'rsa']) types[type] = type
  return Object.fromEntries(await Promise.all(Object.entries(types).map(async ([name, type]) => [name, await makePerson(type)])))
}

/** Folder, layout and links of one case. */
export class World {
  /** Files by path below the case's folder; `null` makes an empty folder, a function makes the file itself. */
  files = new Map([
    ['work', null],
    ['links', null],
  ])
  owners = ['owner']
  parameters = {}

  constructor(people) {
    this.people = people
  }

  /** A key object for a layout. */
  key(name) {
    return toLayoutKey(this.people[name].key)
  }

  /** A step of a layout, by these people. */
  step(name, { by = ['alice'], threshold = 1, materials = [], products = [], command = [] } = {}) {
    return {
      _type: 'step',
      name,
      threshold,
      pubkeys: by.map((person) => this.people[person].id),
      expected_command: command,
      expected_materials: rules(...materials),
      expected_products: rules(...products),
    }
  }

  /** A layout of these steps, with everybody's keys in it. */
  layout(steps, changes = {}) {
    const keys = {}
    for (const name of ['alice', 'bob', 'carol']) keys[this.people[name].id] = this.key(name)
    return { _type: 'layout', expires: '2100-01-01T00:00:00Z', readme: '', keys, steps, inspect: [], ...changes }
  }

  /** A link's content. */
  link(name, { materials = {}, products = {}, ...more } = {}) {
    return { _type: 'link', name, materials, products, byproducts: { 'return-value': 0 }, command: [], environment: {}, ...more }
  }

  /** An envelope around any value, or around text that is no value. */
  async sign(
    payload,
    by,
    { format = 'dsse', ids = ({ id }) => [id], payloadType = 'application/vnd.in-toto+json', edit = (e) => e, pae = true } = {},
  ) {
    const body = typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(stringifyJson(payload))
    const dsse = format === 'dsse'
    const head = `DSSEv1 ${payloadType.length} ${payloadType} ${body.length} `
    const data = dsse ? (pae ? Buffer.concat([Buffer.from(head), body]) : body) : canonicalJson(payload)
    const signatures = []
    for (const name of by) {
      const person = this.people[name]
      const sig = Buffer.from(await person.signer.sign(data)).toString(dsse ? 'base64' : 'hex')
      for (const keyid of ids(person)) signatures.push({ keyid, sig })
    }
    return edit(dsse ? { payload: body.toString('base64'), payloadType, signatures } : { signatures, signed: payload })
  }

  /** Writes an envelope, or any text or bytes. */
  put(path, content) {
    this.files.set(path, typeof content === 'string' || content instanceof Uint8Array ? content : stringifyJson(content))
  }

  /** Signs the root layout as its owners do, under the ids of both derivations. */
  async root(layout, o = {}) {
    const ids = ({ ids }) => [ids.python, ids.go]
    this.put('root.layout', await this.sign(layout, o.by ?? this.owners, { ids, ...o }))
  }

  /** Signs a link and puts it where a verifier looks for it. */
  async evidence(link, by, o = {}) {
    this.put(
      `${o.folder ?? 'links'}/${o.file ?? `${link.name}.${this.people[by].id.slice(0, 8)}.link`}`,
      await this.sign(link, [o.signer ?? by], o),
    )
  }

  /**
   * An honest chain: alice writes a file, bob builds from it. A case changes what it is about: the layout, either link, either signature; a link that
   * is changed to `undefined` is not written.
   */
  async chain({ layout = (l) => l, write = (l) => l, build = (l) => l, root = {}, writing = {}, building = {} } = {}) {
    const steps = [
      this.step('write', { by: ['alice'], products: ['CREATE src/*', 'DISALLOW *'] }),
      this.step('build', {
        by: ['bob'],
        materials: ['MATCH src/* WITH PRODUCTS FROM write', 'DISALLOW *'],
        products: ['CREATE dist/*', 'ALLOW src/*', 'DISALLOW *'],
      }),
    ]
    const source = artifacts({ 'src/a.js': 'a' })
    const honest = this.layout(steps)
    await this.root(layout(honest) ?? honest, root)
    const written = write(this.link('write', { products: source }))
    if (written) await this.evidence(written, 'alice', writing)
    const built = build(this.link('build', { materials: source, products: artifacts({ 'src/a.js': 'a', 'dist/a.js': 'A' }) }))
    if (built) await this.evidence(built, 'bob', building)
  }

  /** One step with these artifacts and rules. */
  async single({ materials = {}, products = {}, expect = {}, steps = [], links = [], ...o } = {}) {
    await this.root(this.layout([...steps, this.step('one', expect)]), o)
    for (const [link, by] of links) await this.evidence(link, by, o)
    await this.evidence(this.link('one', { materials: artifacts(materials), products: artifacts(products) }), 'alice', o)
  }

  /** Writes everything below a folder. */
  write(folder) {
    rmSync(folder, { recursive: true, force: true })
    this.owners.forEach((name, i) => this.files.set(`keys/${i}.pub`, this.people[name].publicPem))
    const lines = Object.entries(this.parameters).map(([name, value]) => `${name}=${value}\n`)
    if (lines.length > 0) this.files.set('parameters', lines.join(''))
    for (const [name, content] of this.files) {
      const path = join(folder, name)
      mkdirSync(content === null ? path : dirname(path), { recursive: true })
      if (typeof content === 'function') content(path)
      else if (content !== null) writeFileSync(path, content)
    }
  }
}
