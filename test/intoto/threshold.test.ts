/** Who counts, how often, and what is said when too few do: distinct keys, one file for each, agreement among all, helpful refusals. */
import { describe, expect, it } from 'vitest'
import {
  createLink,
  decodeMetadata,
  encodeMetadata,
  InTotoError,
  judge,
  keyidFor,
  linkFileName,
  sign,
  signSync,
  toLayoutKey,
  toStatement,
  utf8,
  type Layout,
  type LinkFile,
  type LinkSource,
  type Metadata,
} from 'intoto'
import {
  alice,
  bob,
  carol,
  codesOf,
  errorsOf,
  files,
  layout,
  linkFile,
  mallory,
  owner,
  person,
  signed,
  step,
  verdict,
  warningsOf,
  type Person,
} from './world.ts'

const link = createLink({ name: 'build', products: files({ a: '1' }) })
const other = createLink({ name: 'build', products: files({ a: '2' }) })
const short = (who: Person): string => who.key.keyid.slice(0, 8)
const fileOf = (who: Person): string => linkFileName('build', who.key.keyid)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

describe('the threshold', () => {
  const two = layout([step('build', { by: [alice, bob], threshold: 2 })])

  it('is reached by two functionaries who agree, and their other members may differ', async () => {
    const second = createLink({
      name: 'build',
      products: files({ a: '1' }),
      byproducts: { stdout: 'other' },
      environment: { variables: [] },
    })
    expect((await verdict({ layout: two, links: [await linkFile(alice, link), await linkFile(bob, second)] })).ok).toBe(true)
  })

  it('says that equal digests are too weak to agree by', async () => {
    const weak = createLink({ name: 'build', products: { a: { md5: 'd41d8cd98f00b204e9800998ecf8427e' } } })
    const [problem] = errorsOf(await verdict({ layout: two, links: [await linkFile(alice, weak), await linkFile(bob, weak)] }))
    expect(problem).toMatchObject({ code: 'E_THRESHOLD', file: 'a', fix: ['let both record with SHA-256'] })
    expect(problem!.message).toContain('list no digest that could show that they agree')
    expect(problem!.expected!.text).toBe(problem!.actual!.text)
  })

  it('counts one key once, under two ids as well', async () => {
    const ids = [keyidFor(alice.key, 'python'), keyidFor(alice.key, 'go')]
    const keys = Object.fromEntries(ids.map((keyid) => [keyid, { ...toLayoutKey(alice.key), keyid }]))
    const links = Object.fromEntries(
      ids.map((id) => [linkFileName('build', id), encodeMetadata(signSync(link, [alice.signer], { keyids: () => [id] }))]),
    )
    const wire = (threshold: number) => layout([{ ...step('build', { threshold }), pubkeys: ids }], { keys })
    const report = await verdict({ layout: wire(2), links: [links] })
    expect(errorsOf(report)).toMatchObject([{ code: 'E_MISSING_STEP', cause: expect.stringContaining('1 distinct key') }])
    expect(report.steps[0]!.links.map(({ counted }) => counted)).toEqual([true, false])
    expect((await verdict({ layout: wire(1), links: [links] })).ok).toBe(true)
    const three = layout([{ ...step('build', { threshold: 2 }), pubkeys: [...ids, bob.key.keyid] }], {
      keys: { ...keys, [bob.key.keyid]: toLayoutKey(bob.key) },
    })
    expect(errorsOf(await verdict({ layout: three, links: [links] }))).toMatchObject([
      { code: 'E_MISSING_STEP', cause: 'one key under two ids is one functionary and counts once', expected: { text: fileOf(bob) } },
    ])
    expect((await verdict({ layout: three, links: [links, await linkFile(bob, link)] })).ok).toBe(true)
  })

  it('says how to get a missing link: packing has a command of its own', async () => {
    const wanted = async (name: string, command: string[]): Promise<string | undefined> => {
      const { problems } = await verdict({ layout: layout([{ ...step(name), expected_command: command }]) })
      return problems[0]?.fix[0]
    }
    expect(await wanted('test', ['npm', 'test'])).toBe('npx intoto run -n test --signing-key KEY -- npm test')
    expect(await wanted('package', ['npm', 'pack'])).toBe('npx intoto pack --signing-key KEY, or the script "postpack": "intoto postpack"')
    expect(await wanted('ship', ['bun', 'pm', 'pack'])).toContain('npx intoto pack -n ship --signing-key KEY')
  })

  it('counts a key once that pubkeys lists twice, or that signed twice', async () => {
    const twice = layout([{ ...step('build', { threshold: 2 }), pubkeys: [alice.key.keyid, alice.key.keyid] }])
    const listed = await verdict({ layout: twice, links: [await linkFile(alice, link)] })
    expect([codesOf(listed), listed.steps[0]!.links.length]).toEqual([['E_MISSING_STEP'], 1])
    const doubled = JSON.parse(text(await signed(link, [alice])))
    doubled.signatures.push(doubled.signatures[0])
    expect(codesOf(await verdict({ layout: two, links: [{ [fileOf(alice)]: utf8(JSON.stringify(doubled)) }] }))).toEqual(['E_MISSING_STEP'])
  })

  it('goes by whole ids: two that begin alike share a file name, and nothing else', async () => {
    const ids = ['aabbccdd01', 'aabbccdd02'] as const
    const keys = { [ids[0]]: { ...toLayoutKey(alice.key), keyid: ids[0] }, [ids[1]]: { ...toLayoutKey(bob.key), keyid: ids[1] } }
    const wire = (threshold: number) => layout([{ ...step('build', { threshold }), pubkeys: [...ids] }], { keys })
    const by = async (who: Person, id: string) => ({ 'build.aabbccdd.link': await signed(link, [who], { keyids: () => [id] }) })
    for (const [who, id] of [
      [alice, ids[0]],
      [bob, ids[1]],
    ] as const) {
      expect(
        (await verdict({ layout: wire(1), links: [await by(who, id)] })).steps[0]!.links.filter(({ counted }) => counted),
      ).toMatchObject([{ keyid: id }])
      expect((await verdict({ layout: wire(2), links: [await by(who, id)] })).ok).toBe(false)
    }
    expect((await verdict({ layout: wire(1), links: [await by(alice, ids[1])] })).ok).toBe(false)
  })

  it('takes one file with two signatures for one link, and its two copies for two', async () => {
    const both = await signed(link, [alice, bob])
    expect(codesOf(await verdict({ layout: two, links: [{ [fileOf(alice)]: both }] }))).toEqual(['E_MISSING_STEP'])
    expect((await verdict({ layout: two, links: [{ [fileOf(alice)]: both, [fileOf(bob)]: both }] })).ok).toBe(true)
  })

  it('says what was looked for and found, also when nobody is left to ask', async () => {
    const goId = keyidFor(alice.key, 'go')
    const keys = { [alice.key.keyid]: toLayoutKey(alice.key), [goId]: { ...toLayoutKey(alice.key), keyid: goId } }
    const wire = layout([step('build', { by: [alice], threshold: 2 })], { keys })
    wire.steps[0].pubkeys = Object.keys(keys)
    const links = [await linkFile(alice, link), { [linkFileName('build', goId)]: await signed(link, [alice], { keyids: () => [goId] }) }]
    expect(errorsOf(await verdict({ layout: wire, links }))).toMatchObject([
      {
        message: 'build: 1 link found, 2 needed from another functionary',
        expected: { text: 'a link of another functionary' },
        actual: { text: fileOf(alice) },
      },
    ])
    const [none] = errorsOf(await verdict({ layout: two }))
    expect(none).toMatchObject({ actual: { text: 'nothing that counts' }, expected: { text: `${fileOf(alice)}, ${fileOf(bob)}` } })
  })

  it('says when a layout names too few keys for its own threshold', async () => {
    const three = layout([step('build', { by: [alice, bob], threshold: 3 })])
    const report = await verdict({ layout: three, links: [await linkFile(alice, link), await linkFile(bob, link)] })
    expect(errorsOf(report)).toMatchObject([{ code: 'E_MISSING_STEP', cause: expect.stringContaining('can never hold') }])
  })

  it('is not hurt by a bad link beyond it, which is warned about', async () => {
    const wire = layout([step('build', { by: [alice, bob] })])
    const forged = { [fileOf(bob)]: utf8(text(await signed(link, [mallory], { format: 'metablock', keyids: () => [bob.key.keyid] }))) }
    for (const bad of [forged, { [fileOf(bob)]: utf8('{') }, { [fileOf(bob)]: utf8('') }]) {
      const report = await verdict({ layout: wire, links: [await linkFile(alice, link), bad] })
      expect([report.ok, warningsOf(report).length]).toEqual([true, 1])
    }
  })
})

describe('agreement', () => {
  const wire = (threshold: number) => layout([step('build', { by: [alice, bob, carol], threshold })])

  it('is demanded of all valid links, even of those beyond the threshold', async () => {
    const links = [await linkFile(alice, link), await linkFile(bob, link), await linkFile(carol, other)]
    for (const threshold of [1, 2]) {
      const [problem, ...rest] = errorsOf(await verdict({ layout: wire(threshold), links }))
      expect(rest).toEqual([])
      expect(problem).toMatchObject({
        code: 'E_THRESHOLD',
        file: 'a',
        step: 'build',
        expected: { from: fileOf(alice) },
        actual: { from: fileOf(carol) },
      })
      expect(problem!.expected!.text).not.toBe(problem!.actual!.text)
    }
  })

  it('covers materials, and names that only one has', async () => {
    const materials = createLink({ name: 'build', materials: files({ m: '1' }), products: files({ a: '1' }) })
    const report = await verdict({ layout: wire(1), links: [await linkFile(alice, link), await linkFile(bob, materials)] })
    expect(errorsOf(report)).toMatchObject([{ code: 'E_THRESHOLD', file: 'm', expected: { text: 'not there' } }])
  })

  it('compares both sides in both directions, up to the last name', async () => {
    const few = createLink({ name: 'build', materials: files({ m: '1' }), products: files({ a: '1' }) })
    for (const side of ['materials', 'products'] as const) {
      for (const name of ['0', 'b', 'z']) {
        const more = createLink({ ...few, [side]: { ...few[side], ...files({ [name]: '2' }) } })
        for (const [first, second] of [
          [few, more],
          [more, few],
        ] as const) {
          const report = await verdict({ layout: wire(1), links: [await linkFile(alice, first), await linkFile(bob, second)] })
          expect(errorsOf(report)).toMatchObject([{ code: 'E_THRESHOLD', file: name }])
        }
      }
    }
  })

  it('is not reached by digests that prove nothing', async () => {
    const empty = createLink({ name: 'build', products: { a: {} } })
    expect(codesOf(await verdict({ layout: wire(2), links: [await linkFile(alice, empty), await linkFile(bob, empty)] }))).toEqual([
      'E_THRESHOLD',
    ])
  })
})

const test = await linkFile(bob, { name: 'test' })

describe('a link that does not count', () => {
  const wire = layout([step('build'), step('test', { by: [bob] })])
  const judgeWith = (...links: Record<string, Uint8Array>[]) => verdict({ layout: wire, links: [test, ...links] })

  it('is missing: what was looked for, from whom, and what to type', async () => {
    expect(errorsOf(await judgeWith())).toMatchObject([
      {
        code: 'E_MISSING_STEP',
        step: 'build',
        message: `build: no link found, 1 needed from ${short(alice)}`,
        expected: { text: fileOf(alice) },
        fix: ['npx intoto run -n build --signing-key KEY -- COMMAND'],
      },
    ])
  })

  it('has a bad signature: changed, or claimed by another', async () => {
    const changed = utf8(text(await signed(link, [alice], { format: 'metablock' })).replace('"command":', '"note":1,"command":'))
    expect(errorsOf(await judgeWith({ [fileOf(alice)]: changed }))).toMatchObject([
      { code: 'E_SIGNATURE', step: 'build', file: fileOf(alice) },
    ])
    const claimed = await signed(link, [mallory], { keyids: () => [alice.key.keyid] })
    expect(codesOf(await judgeWith({ [fileOf(alice)]: claimed }))).toEqual(['E_SIGNATURE'])
  })

  it('is signed by a stranger, under another name or under an authorised one', async () => {
    const stranger = await linkFile(mallory, link)
    expect(errorsOf(await judgeWith(stranger))).toMatchObject([
      {
        code: 'E_ACTOR',
        step: 'build',
        file: fileOf(mallory),
        message: `${fileOf(mallory)}: signed by a key that may not perform "build"`,
        actual: { text: `unknown key (${short(mallory)})`, from: 'not in this layout' },
        expected: { label: 'allowed', text: short(alice) },
      },
    ])
    expect(codesOf(await judgeWith({ [fileOf(alice)]: Object.values(stranger)[0]! }))).toEqual(['E_ACTOR'])
  })

  it('is signed by the key of another step, and says which', async () => {
    const [problem] = errorsOf(await judgeWith(await linkFile(bob, link)))
    expect(problem).toMatchObject({
      code: 'E_ACTOR',
      file: fileOf(bob),
      actual: { text: short(bob), from: 'may perform "test"' },
      cause: expect.stringContaining('"test"'),
    })
  })

  it('is signed by the right key under the id that Go or Python derives, and says so', async () => {
    const goId = keyidFor(alice.key, 'go')
    const goMade = { [linkFileName('build', goId)]: encodeMetadata(await sign(link, [alice.signer], { keyids: () => [goId] })) }
    const [problem] = errorsOf(await judgeWith(goMade))
    expect(problem).toMatchObject({
      code: 'E_ACTOR',
      message: expect.stringContaining('another id of the same key'),
      fix: [expect.stringContaining('--keyid-style python')],
    })
    expect(problem!.actual!.text).toContain(goId.slice(0, 8))
    const renamed = { [fileOf(alice)]: Object.values(goMade)[0]! }
    expect(errorsOf(await judgeWith(renamed))).toMatchObject([
      { code: 'E_ACTOR', message: expect.stringContaining('another id of the same key') },
    ])
    const goLayout = layout([{ ...step('build'), pubkeys: [goId] }], { keys: { [goId]: { ...toLayoutKey(alice.key), keyid: goId } } })
    expect((await verdict({ layout: goLayout, links: [goMade] })).ok).toBe(true)
    expect(errorsOf(await verdict({ layout: goLayout, links: [await linkFile(alice, link)] }))).toMatchObject([
      { code: 'E_ACTOR', fix: [expect.stringContaining('--keyid-style go')] },
    ])
  })

  it('is too large to look for its signer with every key and every entry', async () => {
    const large = createLink({ ...link, byproducts: { stdout: 'x'.repeat(4_000_000) } })
    const flood = (bytes: Uint8Array, entries: number): Uint8Array => {
      const file = JSON.parse(text(bytes)) as { signatures: { keyid: string; sig: string }[] }
      const [own] = file.signatures
      const other = (i: number) => ({ keyid: '', sig: Buffer.alloc(64, i).toString('base64') })
      return utf8(JSON.stringify({ ...file, signatures: [...Array.from({ length: entries }, (_, i) => other(i)), own] }))
    }
    const signedByBob = await signed(large, [bob])
    const told = async (entries: number) => errorsOf(await judgeWith({ [fileOf(bob)]: flood(signedByBob, entries) }))
    expect(await told(2)).toMatchObject([{ code: 'E_ACTOR', actual: { from: 'may perform "test"' } }])
    expect(await told(12)).toMatchObject([{ code: 'E_ACTOR', actual: { from: 'not in this layout' } }])
  })

  it("has no id in its signature: not counted, unlike an owner's", async () => {
    const bytes = encodeMetadata(await sign(link, [alice.signer], { keyids: () => [''] }))
    expect(codesOf(await judgeWith({ [fileOf(alice)]: bytes }))).toEqual(['E_ACTOR'])
  })

  it('is not signed at all', async () => {
    expect(errorsOf(await judgeWith({ [fileOf(alice)]: await signed(link, []) }))).toMatchObject([
      { code: 'E_ACTOR', message: expect.stringContaining('not signed') },
    ])
  })

  it("is one of another step under this step's name", async () => {
    const renamed = { [fileOf(alice)]: Object.values(await linkFile(alice, { name: 'test' }))[0]! }
    expect(errorsOf(await judgeWith(renamed))).toMatchObject([
      { code: 'E_MISSING_STEP', file: fileOf(alice), message: expect.stringContaining('of the step "test"'), actual: { text: 'test' } },
    ])
  })

  const unreadable: [string, Uint8Array][] = [
    ['empty', utf8('')],
    ['no JSON', utf8('not JSON')],
    ['two documents', utf8('{}{}')],
    ['with a member twice', utf8('{"payload":"","payload":"","payloadType":"","signatures":[]}')],
    ['in Latin-1', Uint8Array.of(0x7b, 0xe9, 0x7d)],
    ['nested 100,000 deep', utf8('['.repeat(100_000))],
  ]
  for (const [what, bytes] of unreadable) {
    it(`is ${what}: it counts as absent, with a warning`, async () => {
      const report = await judgeWith({ [fileOf(alice)]: bytes })
      expect(codesOf(report)).toEqual(['E_MISSING_STEP'])
      expect(warningsOf(report)).toMatchObject([
        { code: 'E_FORMAT', file: fileOf(alice), message: expect.stringContaining('counts as absent') },
      ])
      expect(report.steps[0]!.links).toMatchObject([{ file: fileOf(alice), counted: false, format: 'unknown' }])
    })
  }

  it('cannot be opened: the same', async () => {
    const file: LinkFile = {
      file: 'in-toto/x.link',
      read: () => Promise.reject(new InTotoError({ code: 'E_IO', message: 'x.link is no regular file', fix: 'delete it' })),
    }
    const source: LinkSource = { get: async (name) => (name === 'build' ? [file] : []), list: async () => [], within: () => source }
    const metadata = decodeMetadata(await signed(layout([step('build')]), [owner])) as Metadata<Layout>
    const report = await judge(metadata, { keys: [owner.key], links: source })
    expect([codesOf(report), warningsOf(report)[0]!.code]).toEqual([['E_MISSING_STEP'], 'E_IO'])
  })

  it('makes no verdict of a fault that nobody foresaw, in whatever kind of file', async () => {
    const broken: LinkFile = { file: 'x.json', read: () => Promise.reject(new TypeError('a fault of the source')) }
    const none: LinkSource = { get: async () => [], list: async () => [], within: () => none }
    const metadata = decodeMetadata(await signed(layout([step('build')]), [owner])) as Metadata<Layout>
    for (const links of [
      { ...none, get: async () => [broken] },
      { ...none, list: async () => [broken] },
      { ...none, statements: async () => [broken] },
    ]) {
      await expect(judge(metadata, { keys: [owner.key], links, statements: true })).rejects.toThrow('a fault of the source')
    }
  })

  it('is by a key of a kind that is not verified here', async () => {
    const wire = layout([{ ...step('build'), pubkeys: ['aabbccdd'] }], {
      keys: { aabbccdd: { type: 'rsa', method: 'pgp+rsa-pkcsv1.5', keyid: 'aabbccdd', keyval: {} } },
    })
    const report = await verdict({
      layout: wire,
      links: [{ 'build.aabbccdd.link': await signed(link, [alice], { keyids: () => ['aabbccdd'] }) }],
    })
    expect(codesOf(report)).toEqual(['E_MISSING_STEP'])
    expect(warningsOf(report).map(({ code }) => code)).toEqual(['E_UNSUPPORTED', 'E_UNSUPPORTED'])
  })
})

describe('several files for one step and key', () => {
  const source = (...contents: [string, Uint8Array][]): LinkSource => {
    const all = contents.map(([file, bytes]) => ({ file, read: async () => bytes }))
    return { get: async () => all, list: async () => all, within: () => source() }
  }
  const judgeFiles = async (...contents: [string, Uint8Array][]) => {
    const metadata = decodeMetadata(await signed(layout([step('build')]), [owner])) as Metadata<Layout>
    return judge(metadata, { keys: [owner.key], links: source(...contents) })
  }

  it('are one when their bytes are equal', async () => {
    const bytes = await signed(link, [alice])
    const report = await judgeFiles(['in-toto/x', bytes], ['dist/x', bytes.slice()])
    expect([report.ok, report.steps[0]!.links.length]).toEqual([true, 1])
  })

  it('are refused when they differ, naming both', async () => {
    const report = await judgeFiles(['in-toto/x', await signed(link, [alice])], ['dist/x', await signed(other, [alice])])
    expect(errorsOf(report)[0]).toMatchObject({ code: 'E_THRESHOLD', expected: { from: 'in-toto/x' }, actual: { from: 'dist/x' } })
    const same = await judgeFiles(
      ['in-toto/x', await signed(link, [alice])],
      ['dist/x', await signed(link, [alice], { format: 'metablock' })],
    )
    expect(codesOf(same)).toEqual(['E_THRESHOLD'])
  })

  it('are read once each: what is verified is what is used', async () => {
    const good = await signed(link, [alice])
    const forged = await signed(createLink({ name: 'build', products: files({ evil: '1' }) }), [mallory], {
      keyids: () => [alice.key.keyid],
    })
    const metadata = decodeMetadata(await signed(layout([step('build', { products: ['ALLOW a', 'DISALLOW *'] })]), [owner]))
    for (const contents of [
      [good, forged],
      [forged, good],
    ]) {
      let reads = 0
      const file: LinkFile = { file: fileOf(alice), read: async () => contents[Math.min(reads++, 1)]! }
      const links: LinkSource = { get: async () => [file], list: async () => [file], within: () => links }
      const report = await judge(metadata, { keys: [owner.key], links })
      expect([report.ok, reads]).toEqual([contents[0] === good, 1])
    }
  })

  it('leave the one that can be read', async () => {
    const good = await signed(link, [alice])
    expect((await judgeFiles(['in-toto/x', utf8('{')], ['dist/x', good])).ok).toBe(true)
    expect((await judgeFiles(['in-toto/x', good], ['dist/x', utf8('{')])).ok).toBe(true)
  })
})

describe('Statements', () => {
  const wire = layout([step('build', { products: ['REQUIRE a', 'ALLOW *'] })])

  it('satisfy a step only when the caller allows it', async () => {
    const statement = await signed(toStatement(link), [alice])
    const links = [{ [fileOf(alice)]: statement }]
    expect((await verdict({ layout: wire, links, options: { statements: true } })).ok).toBe(true)
    const report = await verdict({ layout: wire, links })
    expect([codesOf(report), warningsOf(report).map(({ code }) => code)]).toEqual([['E_MISSING_STEP'], ['E_UNSUPPORTED']])
  })

  it('are bound to their step, signed by the right key, and of the link predicate', async () => {
    const options = { statements: true }
    const of = async (statement: object, by = alice) =>
      codesOf(await verdict({ layout: wire, links: [{ [fileOf(alice)]: await signed(statement, [by]) }], options }))
    expect(await of(toStatement(createLink({ ...link, name: 'test' })))).toEqual(['E_MISSING_STEP'])
    expect(await of(toStatement(link), mallory)).toEqual(['E_ACTOR'])
    expect(await of({ ...toStatement(link), predicateType: 'https://slsa.dev/provenance/v1' })).toEqual(['E_MISSING_STEP'])
  })
})

const statement = await signed(toStatement(link), [alice])

describe('Statements in files of their own', () => {
  const wire = layout([step('build', { products: ['REQUIRE a', 'ALLOW *'] })])
  const bundle = `build.${short(alice)}.intoto.jsonl`
  const lines = (...parts: (Uint8Array | string)[]): Uint8Array =>
    utf8(parts.map((part) => (typeof part === 'string' ? part : text(part))).join('\n'))
  const judgeFiles = (contents: Record<string, Uint8Array>) => verdict({ layout: wire, links: [contents], options: { statements: true } })

  it('are found in a bundle among other lines, or alone', async () => {
    const provenance = await signed({ ...toStatement(link), predicateType: 'https://slsa.dev/provenance/v1' }, [alice])
    const report = await judgeFiles({ [bundle]: lines('not JSON', provenance, '', statement, '{}') })
    expect(report).toMatchObject({ ok: true, steps: [{ links: [{ file: bundle, counted: true, format: 'dsse' }] }] })
    expect((await judgeFiles({ [`build.${short(alice)}.json`]: statement })).ok).toBe(true)
    expect(codesOf(await verdict({ layout: wire, links: [{ [bundle]: statement }] }))).toEqual(['E_MISSING_STEP'])
  })

  it('are one envelope in a file that is no bundle, however it is laid out', async () => {
    const envelope = JSON.stringify(JSON.parse(text(statement)), null, 2)
    expect((await judgeFiles({ [`build.${short(alice)}.json`]: utf8(envelope) })).ok).toBe(true)
    expect(codesOf(await judgeFiles({ [bundle]: utf8(envelope) }))).toEqual(['E_MISSING_STEP'])
  })

  it('count as absent when they cannot be opened, and where a source has none', async () => {
    const unreadable = { file: bundle, read: () => Promise.reject(new InTotoError({ code: 'E_IO', message: 'a FIFO' })) }
    const source: LinkSource = { get: async () => [], list: async () => [], within: () => source }
    const metadata = decodeMetadata(await signed(wire, [owner])) as Metadata<Layout>
    for (const links of [source, { ...source, statements: async () => [unreadable] }]) {
      const report = await judge(metadata, { keys: [owner.key], links, statements: true })
      expect(codesOf(report)).toEqual(['E_MISSING_STEP'])
    }
  })

  it('do not speak where a link does, and cannot replace a signature', async () => {
    const said = toStatement(other)
    const both = { [fileOf(alice)]: await signed(link, [alice]), [bundle]: await signed(said, [alice]) }
    expect((await judgeFiles(both)).steps[0]!.links).toHaveLength(1)
    expect(codesOf(await judgeFiles({ [bundle]: await signed(toStatement(link), [mallory]) }))).toEqual(['E_ACTOR'])
    expect(codesOf(await judgeFiles({ [bundle]: lines(statement, await signed(said, [alice])) }))).toEqual(['E_THRESHOLD'])
  })
})

describe('large companies', () => {
  it('30 people, each with a link, are looked up one by one', async () => {
    const people = await Promise.all(Array.from({ length: 30 }, () => person()))
    const keys = Object.fromEntries(people.map(({ key }) => [key.keyid, toLayoutKey(key)]))
    const wire = layout([step('build', { by: people, threshold: 30 })], { keys })
    expect((await verdict({ layout: wire, links: await Promise.all(people.map((who) => linkFile(who, link))) })).ok).toBe(true)
  })
})
