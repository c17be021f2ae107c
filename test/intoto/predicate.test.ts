import * as fc from 'fast-check'
import {
  createLink,
  decodeMetadata,
  emptyRecord,
  fromStatement,
  generateKeyPair,
  importSigner,
  linkPredicateType,
  parseStatement,
  sign,
  signersOf,
  statementType,
  toProvenance,
  toStatement,
  type Artifacts,
  type JsonObject,
  type Link,
  type Statement,
} from 'intoto'
import { describe, expect, it } from 'vitest'
import { refusal } from './refusal.ts'

const sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const link = createLink({
  name: 'build',
  command: ['vite', 'build'],
  materials: { 'src/a.ts': { sha256 } },
  products: { 'dist/a.js': { sha256 }, 'dist/b.js': { sha256 } },
  byproducts: { 'return-value': 0 },
  environment: { CI: 'true' },
})

describe('toStatement and fromStatement', () => {
  it('say with the link predicate what the link says', () => {
    expect(toStatement(link)).toEqual({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [
        { name: 'dist/a.js', digest: { sha256 } },
        { name: 'dist/b.js', digest: { sha256 } },
      ],
      predicateType: 'https://in-toto.io/attestation/link/v0.3',
      predicate: {
        name: 'build',
        command: ['vite', 'build'],
        materials: [{ name: 'src/a.ts', digest: { sha256 } }],
        byproducts: { 'return-value': 0 },
        environment: { CI: 'true' },
      },
    })
  })

  it('give back the same link, whatever its names', () => {
    const name = fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 1 }).filter((name) => name !== '_'),
      fc.constantFrom('__proto__', 'constructor', '10', '2'),
    )
    const artifacts = fc.array(name, { maxLength: 8 }).map((names) => {
      const all: Artifacts = emptyRecord()
      for (const name of names) all[name] = { sha256 }
      return all
    })
    fc.assert(
      fc.property(artifacts, artifacts, (materials, products) => {
        fc.pre(Object.keys(products).length > 0)
        const one = createLink({ name: 'build', command: ['x'], materials, products })
        expect(fromStatement(toStatement(one))).toEqual(one)
      }),
    )
  })

  it('survive signing', async () => {
    const signer = await importSigner((await generateKeyPair()).privatePem)
    const read = decodeMetadata((await sign(toStatement(link), [signer])).bytes)
    expect(await signersOf(read, [signer.key])).toHaveLength(1)
    expect(fromStatement(read.payload as Statement)).toEqual(link)
  })

  it('write digests in lower case, as digest sets demand', () => {
    const upper = createLink({ name: 'a', products: { x: { sha256: sha256.toUpperCase() } } })
    expect(toStatement(upper).subject[0]!.digest).toEqual({ sha256 })
  })

  it('make no Statement without a subject', async () => {
    expect(await refusal('E_CONFIG', () => toStatement(createLink({ name: 'test' })))).toMatch(/"test".*no product/)
  })

  it('make no Statement that they could not read again: "" and "_" are the names of no artifact there', async () => {
    for (const name of ['', '_'])
      for (const list of [{ products: { [name]: { sha256 } } }, { products: { a: { sha256 } }, materials: { [name]: { sha256 } } }])
        expect(await refusal('E_CONFIG', () => toStatement(createLink({ name: 'test', ...list })))).toMatch(
          /"test".*no name of an artifact/,
        )
  })

  const statement = (predicate: unknown, subject: unknown = []): Statement =>
    parseStatement({ _type: statementType, subject, predicateType: linkPredicateType, predicate })

  it('read what may be left out as empty', () => {
    expect(fromStatement(statement({ name: 'test' }))).toEqual(createLink({ name: 'test' }))
  })

  it.each<[string, () => Statement, RegExp]>([
    ['another predicate', () => ({ ...statement({}), predicateType: 'https://slsa.dev/provenance/v1' }), /predicateType/],
    ['an older link predicate', () => ({ ...statement({}), predicateType: 'https://in-toto.io/attestation/link/v0.2' }), /predicateType/],
    ['no predicate', () => statement(undefined), /statement\.predicate/],
    ['no step name', () => statement({ command: [] }), /predicate\.name/],
    ['a command that is a text', () => statement({ name: 'a', command: 'make' }), /predicate\.command/],
    ['materials that are an object', () => statement({ name: 'a', materials: { x: { sha256 } } }), /predicate\.materials/],
    [
      'a material without a digest',
      () => statement({ name: 'a', materials: [{ name: 'x', uri: 'https://example.org' }] }),
      /materials\[0\].*digest/,
    ],
    ['a material without a name', () => statement({ name: 'a', materials: [{ digest: { sha256 } }] }), /materials\[0\]\.name/],
    [
      'a material twice',
      () =>
        statement({
          name: 'a',
          materials: [
            { name: 'x', digest: { sha256 } },
            { name: 'x', digest: { sha256 } },
          ],
        }),
      /materials\[1\]\.name/,
    ],
    ['a subject without a name', () => statement({ name: 'a' }, [{ digest: { sha256 } }]), /subject\[0\]\.name/],
    ['a subject whose name means nothing', () => statement({ name: 'a' }, [{ name: '_', digest: { sha256 } }]), /subject\[0\]\.name/],
    ['a digest that is not hex', () => statement({ name: 'a' }, [{ name: 'x', digest: { sha256: 'xyz' } }]), /hex/],
    ['byproducts that are a list', () => statement({ name: 'a', byproducts: [] }), /predicate\.byproducts/],
  ])('refuse %s', async (_, make, reason) => {
    expect(await refusal('E_FORMAT', () => fromStatement(make()))).toMatch(reason)
  })
})

describe('toProvenance', () => {
  const options = { builderId: 'https://example.org/builder', buildType: 'https://example.org/vite' }

  it('says who built what from what', () => {
    const provenance = toProvenance(link, {
      ...options,
      builderVersion: { vite: '8.3.8' },
      invocationId: 'run/1',
      startedOn: '2030-01-31T12:00:00Z',
      finishedOn: '2030-01-31T12:00:01.5Z',
      internalParameters: { CI: 'true' },
      resolvedDependencies: [{ uri: 'git+https://example.org/a', digest: { gitCommit: '0'.repeat(40) } }],
    })
    expect(provenance).toEqual({
      _type: statementType,
      subject: [
        { name: 'dist/a.js', digest: { sha256 } },
        { name: 'dist/b.js', digest: { sha256 } },
      ],
      predicateType: 'https://slsa.dev/provenance/v1',
      predicate: {
        buildDefinition: {
          buildType: 'https://example.org/vite',
          externalParameters: { step: 'build', command: ['vite', 'build'] },
          internalParameters: { CI: 'true' },
          resolvedDependencies: [
            { name: 'src/a.ts', digest: { sha256 } },
            { uri: 'git+https://example.org/a', digest: { gitCommit: '0'.repeat(40) } },
          ],
        },
        runDetails: {
          builder: { id: 'https://example.org/builder', version: { vite: '8.3.8' } },
          metadata: { invocationId: 'run/1', startedOn: '2030-01-31T12:00:00Z', finishedOn: '2030-01-31T12:00:01.5Z' },
        },
      },
    })
  })

  it('invents nothing that it was not told', () => {
    const { predicate } = toProvenance(link, options) as Statement & { predicate: { runDetails: JsonObject; buildDefinition: JsonObject } }
    expect(predicate.runDetails).toEqual({ builder: { id: options.builderId } })
    expect(Object.keys(predicate.buildDefinition).sort()).toEqual(['buildType', 'externalParameters', 'resolvedDependencies'])
    expect(toProvenance(link, { ...options, externalParameters: { ref: 'main' } }).predicate).toMatchObject({
      buildDefinition: { externalParameters: { ref: 'main' } },
    })
  })

  it.each<[string, Partial<Link>, object, RegExp]>([
    ['a builder that is no URI', {}, { builderId: 'me' }, /builderId/],
    ['a build type that is no URI', {}, { buildType: '' }, /buildType/],
    ['a time with an offset', {}, { startedOn: '2030-01-31T12:00:00+01:00' }, /startedOn/],
    ['a link without products', { products: {} }, {}, /no product/],
  ])('refuses %s', async (_, members, more, reason) => {
    expect(await refusal('E_CONFIG', () => toProvenance({ ...link, ...members }, { ...options, ...more }))).toMatch(reason)
  })
})
