/** The procedure as a whole: who must have signed, in which order things are looked at, what ends it, and what is warned about. */
import { describe, expect, it } from 'vitest'
import {
  createLink,
  decodeMetadata,
  encodeMetadata,
  importKey,
  InTotoError,
  judge,
  keyids,
  linkFileName,
  memoryLinks,
  sign,
  toLayoutKey,
  utf8,
  VerificationError,
  verify,
  type Inspect,
  type JsonValue,
  type Layout,
  type LinkSource,
  type Metadata,
  type Report,
} from 'intoto'
import {
  alice,
  bob,
  carol,
  codesOf,
  errorsOf,
  files,
  inspection,
  layout,
  linkFile,
  mallory,
  owner,
  person,
  signed,
  step,
  verdict,
  warningsOf,
} from './world.ts'

const build = step('build', { products: ['CREATE *', 'DISALLOW *'] })
const honest = await linkFile(alice, { name: 'build', products: files({ 'a.js': 'a' }) })
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const decoded = (bytes: Uint8Array): Metadata<Layout> => decodeMetadata(bytes) as Metadata<Layout>

describe('verify and judge', () => {
  it('verify returns the Report when all holds, and throws it when not', async () => {
    const yes = decoded(await signed(layout([build]), [owner]))
    const report = await verify(yes, { keys: [owner.key], links: memoryLinks(honest) })
    expect(report).toMatchObject({
      schemaVersion: 1,
      ok: true,
      problems: [],
      steps: [{ name: 'build', status: 'ok', products: 1, links: [{ counted: true, format: 'dsse' }] }],
    })
    await expect(verify(yes, { keys: [owner.key], links: memoryLinks({}), now: new Date('never') })).rejects.toMatchObject({
      problem: { code: 'E_CONFIG' },
    })
    const error = await verify(yes, { keys: [owner.key], links: memoryLinks({}) }).catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(VerificationError)
    expect(error).toBeInstanceOf(InTotoError)
    expect(error).toMatchObject({ code: 'E_MISSING_STEP', report: { ok: false } })
  })

  for (const [layoutFormat, linkFormat] of [
    ['dsse', 'dsse'],
    ['dsse', 'metablock'],
    ['metablock', 'dsse'],
    ['metablock', 'metablock'],
  ] as const) {
    it(`takes a ${layoutFormat} layout with ${linkFormat} links`, async () => {
      const links = [await linkFile(alice, { name: 'build', products: files({ a: '1' }) }, { format: linkFormat })]
      expect((await verdict({ layout: layout([build]), links, format: layoutFormat })).ok).toBe(true)
    })
  }

  it('summarises the chain: materials of the first step, products, byproducts and command of the last', async () => {
    const links = [
      await linkFile(alice, { name: 'build', materials: files({ m: '1' }), products: files({ a: '1' }), command: ['x'] }),
      await linkFile(bob, {
        name: 'test',
        materials: files({ a: '1' }),
        products: files({ b: '1' }),
        command: ['y'],
        byproducts: { 'return-value': 0 },
      }),
    ]
    const wire = layout([step('build'), step('test', { by: [bob] })])
    const { summary } = await verdict({ layout: wire, links })
    const product = { path: '', kind: 'folder', artifacts: {}, ignore: [] } as const
    expect(await verdict({ layout: wire, links, options: { product } })).not.toHaveProperty('summary')
    expect(summary).toMatchObject({
      name: '',
      materials: { m: {} },
      products: { b: {} },
      command: ['y'],
      byproducts: { 'return-value': 0 },
    })
  })

  it('writes down the time that decided', async () => {
    const report = await verdict({ layout: layout([build]), links: [honest], options: { now: new Date('2030-01-02T03:04:05Z') } })
    expect([report.ok, report.time]).toEqual([true, '2030-01-02T03:04:05.000Z'])
  })

  it('lets an error that nobody foresaw through, instead of a verdict', async () => {
    const broken: LinkSource = { get: () => Promise.reject(new TypeError('bug')), list: async () => [], within: () => broken }
    const outcome = judge(decoded(await signed(layout([build]), [owner])), { keys: [owner.key], links: broken })
    await expect(outcome).rejects.toThrow(TypeError)
  })

  it('makes a problem of what a source cannot do', async () => {
    const locked: LinkSource = {
      get: () => Promise.reject(new InTotoError({ code: 'E_IO', message: 'cannot list folder' })),
      list: async () => [],
      within: () => locked,
    }
    expect(codesOf(await judge(decoded(await signed(layout([build]), [owner])), { keys: [owner.key], links: locked }))).toEqual(['E_IO'])
  })
})

describe('owners', () => {
  it('all given keys must have signed, at least one must be given; further signatures are ignored', async () => {
    const both = [owner, bob]
    expect(
      (await verdict({ layout: layout([build]), links: [honest], by: both, options: { keys: [owner.key, bob.key] } })).layout.signers,
    ).toHaveLength(2)
    expect((await verdict({ layout: layout([build]), links: [honest], by: [owner, mallory] })).ok).toBe(true)
    const one = await verdict({ layout: layout([build]), links: [honest], options: { keys: [owner.key, bob.key] } })
    expect(errorsOf(one)).toMatchObject([{ code: 'E_LAYOUT_SIGNATURE', message: expect.stringContaining('not signed by') }])
    expect(codesOf(await verdict({ layout: layout([build]), links: [honest], options: { keys: [] } }))).toEqual(['E_CONFIG'])
    expect(codesOf(await verdict({ layout: layout([build]), links: [honest], by: [] }))).toEqual(['E_LAYOUT_SIGNATURE'])
  })

  it('a functionary of the layout is no owner', async () => {
    expect(codesOf(await verdict({ layout: layout([build]), links: [honest], by: [alice] }))).toEqual(['E_LAYOUT_SIGNATURE'])
  })

  it('says that a layout was changed after signing', async () => {
    const bytes = await signed(layout([build]), [owner], { format: 'metablock' })
    const forged = utf8(text(bytes).replace('2099-01-01', '2098-01-01'))
    const report = await judge(decoded(forged), { keys: [owner.key], links: memoryLinks(honest) })
    expect(errorsOf(report)).toMatchObject([
      { code: 'E_LAYOUT_SIGNATURE', message: expect.stringContaining('does not hold'), cause: expect.stringContaining('changed') },
    ])
  })

  it('refuses a member smuggled in after signing, which a verifier that re-makes the object would not see', async () => {
    const bytes = await signed(layout([build]), [owner], { format: 'metablock' })
    for (const place of ['"expires"', '"threshold"', '"expected_command"']) {
      const forged = utf8(text(bytes).replace(place, `"note": 1, ${place}`))
      expect(codesOf(await judge(decoded(forged), { keys: [owner.key], links: memoryLinks(honest) }))).toEqual(['E_LAYOUT_SIGNATURE'])
    }
  })

  it('finds the owner under every id that tools derive from one key', async () => {
    for (const type of ['ed25519', 'ecdsa-p384'] as const) {
      const one = await person(type)
      for (const id of keyids(one.key)) {
        const bytes = encodeMetadata(await sign(layout([build]), [one.signer], { keyids: () => [id] }))
        expect((await judge(decoded(bytes), { keys: [one.key], links: memoryLinks(honest) })).ok).toBe(true)
      }
    }
  })

  it('takes an envelope signature without id for a hint that is missing', async () => {
    const bytes = encodeMetadata(await sign(layout([build]), [owner.signer], { keyids: () => [''] }))
    expect((await judge(decoded(bytes), { keys: [owner.key], links: memoryLinks(honest) })).ok).toBe(true)
  })

  it('needs no particular order of the questions: without a good signature nothing else is asked', async () => {
    const report = await verdict({ layout: layout([build], { expires: '2001-01-01T00:00:00Z', odd: 1 }), by: [mallory] })
    expect(report.problems.map(({ code }) => code)).toEqual(['E_LAYOUT_SIGNATURE'])
    expect([report.steps, report.layout]).toEqual([[], { signers: [] }])
  })

  it('refuses a link in place of a layout', async () => {
    const link = decodeMetadata(Object.values(await linkFile(owner, { name: 'build' }))[0]!)
    expect(errorsOf(await judge(link, { keys: [owner.key], links: memoryLinks({}) }))).toMatchObject([
      { code: 'E_LAYOUT_INVALID', message: 'layout: is no layout' },
    ])
    expect(codesOf(await judge(link, { keys: [bob.key], links: memoryLinks({}) }))).toEqual(['E_LAYOUT_SIGNATURE'])
  })

  it('says who signed a layout that the given key did not, be it nobody', async () => {
    for (const [by, text] of [
      [[], 'nobody'],
      [
        [mallory],
        keyids(mallory.key)
          .slice(0, 2)
          .map((id) => id.slice(0, 8))
          .join(', '),
      ],
    ] as const) {
      const report = await verdict({ layout: layout([build]), by: [...by] })
      expect(errorsOf(report)).toMatchObject([{ code: 'E_LAYOUT_SIGNATURE', actual: { label: 'signatures', text } }])
    }
  })
})

describe('expiry', () => {
  const expires = '2030-06-01T00:00:00Z'
  const at = (now: string) => verdict({ layout: layout([build], { expires }), links: [honest], options: { now: new Date(now) } })

  it('ends with the very second', async () => {
    expect((await at('2030-05-31T23:59:59Z')).ok).toBe(true)
    expect(codesOf(await at('2030-06-01T00:00:00Z'))).toEqual(['E_LAYOUT_EXPIRED'])
    expect(codesOf(await at('2030-06-01T00:00:01Z'))).toEqual(['E_LAYOUT_EXPIRED'])
  })

  it('is the same second in every time zone', async () => {
    const usual = process.env['TZ']
    try {
      for (const [zone, minutes] of [
        ['Pacific/Kiritimati', -14 * 60],
        ['Etc/GMT+12', 12 * 60],
      ] as const) {
        process.env['TZ'] = zone
        expect(new Date(2030, 5).getTimezoneOffset()).toBe(minutes)
        expect((await at('2030-05-31T23:59:59Z')).ok).toBe(true)
        expect(codesOf(await at('2030-06-01T00:00:00Z'))).toEqual(['E_LAYOUT_EXPIRED'])
      }
    } finally {
      if (usual === undefined) delete process.env['TZ']
      else process.env['TZ'] = usual
    }
  })

  it('says for how long, and whether only the date is to blame', async () => {
    const [problem] = errorsOf(await at('2030-06-04T01:00:00Z'))
    expect(problem!.message).toBe('layout: expired 3 days ago (2030-06-01); its links are intact, only the promise is out of date')
    expect(problem!.fix[0]).toContain('layout renew')
    const broken = await verdict({ layout: layout([build], { expires }), options: { now: new Date('2030-06-04T01:00:00Z') } })
    expect(errorsOf(broken)).toMatchObject([{ code: 'E_LAYOUT_EXPIRED', message: 'layout: expired 3 days ago (2030-06-01)' }])
    const empty = await verdict({ layout: layout([], { expires }), options: { now: new Date('2030-06-04T01:00:00Z') } })
    expect(errorsOf(empty)).toMatchObject([{ code: 'E_LAYOUT_EXPIRED', message: 'layout: expired 3 days ago (2030-06-01)' }])
  })
})

describe('phases', () => {
  it('report every problem of a phase, and leave later ones alone', async () => {
    const steps = [step('a'), step('b', { by: [bob] }), step('c', { by: [carol], command: ['x'], products: ['DISALLOW *'] })]
    const c = await linkFile(carol, { name: 'c', products: files({ evil: '1' }), command: ['y'] })
    const report = await verdict({ layout: layout(steps), links: [c] })
    expect(errorsOf(report).map(({ code, step }) => [code, step])).toEqual([
      ['E_MISSING_STEP', 'a'],
      ['E_MISSING_STEP', 'b'],
    ])
    expect(report.steps.map(({ status }) => status)).toEqual(['fail', 'fail', 'unchecked'])
    expect(report.ok).toBe(false)
  })

  it('look at commands before rules', async () => {
    const steps = [step('c', { command: ['x'], products: ['DISALLOW *'] })]
    const links = [await linkFile(alice, { name: 'c', products: files({ evil: '1' }), command: ['y'] })]
    expect(codesOf(await verdict({ layout: layout(steps), links }))).toEqual(['E_COMMAND'])
    expect(codesOf(await verdict({ layout: layout(steps), links, options: { commandMismatch: 'warn' } }))).toEqual(['E_RULE'])
  })

  /** A chain in which each of these is wrong, and all else is right. */
  async function withFaults(faults: readonly string[]): Promise<Report> {
    const has = (fault: string): boolean => faults.includes(fault)
    const past = '2020-01-01T00:00:00Z'
    const inner = layout([step('compile')], has('a sublayout') ? { expires: past } : {})
    const steps = [
      step('build', { by: [alice, bob], command: ['make'], products: [has('a rule of a step') ? 'DISALLOW *' : 'ALLOW *'] }),
      step('test', { by: [bob], products: [has('a parameter') ? 'ALLOW {NAME}' : 'ALLOW *'] }),
      step('pack', { by: [carol] }),
    ]
    const wire = layout(steps, {
      ...(has('the expiry') ? { expires: past } : {}),
      inspect: [inspection('look', { products: [has('a rule of an inspection') ? 'REQUIRE x' : 'ALLOW *'] })],
    })
    const name = linkFileName('pack', carol.key.keyid)
    const links = [
      await linkFile(alice, { name: 'build', products: files({ a: '1' }), command: [has('a command') ? 'true' : 'make'] }),
      await linkFile(bob, { name: 'build', products: files({ a: has('the agreement') ? '2' : '1' }), command: ['make'] }),
      has('a link') ? {} : await linkFile(bob, { name: 'test' }),
      { [name]: await signed(inner, [carol]) },
      Object.fromEntries(
        Object.entries(await linkFile(alice, { name: 'compile' })).map(([file, bytes]) => [`${name.slice(0, -5)}/${file}`, bytes]),
      ),
    ]
    const inspect: Inspect = async ({ name }) => {
      if (has('an inspection')) throw new InTotoError({ code: 'E_INSPECTION', message: 'it ended with exit code 1' })
      return createLink({ name })
    }
    const by = [has('the signature') ? mallory : owner]
    return verdict({ layout: wire, links, by, options: { inspect, parameters: { OTHER: 'x' } } })
  }

  const order: [fault: string, code: string, step?: string][] = [
    ['the signature', 'E_LAYOUT_SIGNATURE'],
    ['the expiry', 'E_LAYOUT_EXPIRED'],
    ['a parameter', 'E_CONFIG'],
    ['a link', 'E_MISSING_STEP', 'test'],
    ['a sublayout', 'E_LAYOUT_EXPIRED', 'pack'],
    ['a command', 'E_COMMAND', 'build'],
    ['the agreement', 'E_THRESHOLD', 'build'],
    ['a rule of a step', 'E_RULE', 'build'],
    ['an inspection', 'E_INSPECTION', 'look'],
    ['a rule of an inspection', 'E_RULE', 'look'],
  ]
  it.each(order.map((entry, i) => [entry[0], i] as const))('come in one order: %s is wrong, and all that comes after it', async (_, i) => {
    const rest = order.slice(i)
    const [, code, step] = rest[0]!
    expect(errorsOf(await withFaults(rest.map(([fault]) => fault))).map((found) => [found.code, found.step])).toEqual([[code, step]])
    expect((await withFaults([])).ok).toBe(true)
  })

  it('look at rules step by step as the layout lists them, materials before products', async () => {
    const steps = ['b', 'a'].map((name) => step(name, { materials: ['DISALLOW *'], products: ['REQUIRE x'] }))
    const links = await Promise.all(['a', 'b'].map((name) => linkFile(alice, { name, materials: files({ m: name }) })))
    expect(errorsOf(await verdict({ layout: layout(steps), links })).map(({ rule }) => [rule?.step, rule?.list])).toEqual([
      ['b', 'expected_materials'],
      ['b', 'expected_products'],
      ['a', 'expected_materials'],
      ['a', 'expected_products'],
    ])
  })

  it('check the rules of all steps', async () => {
    const steps = [step('a', { products: ['DISALLOW *'] }), step('b', { products: ['REQUIRE x'] }), step('c')]
    const links = await Promise.all(['a', 'b', 'c'].map((name) => linkFile(alice, { name, products: files({ evil: name }) })))
    const report = await verdict({ layout: layout(steps), links })
    expect(errorsOf(report).map(({ step, file }) => [step, file])).toEqual([
      ['a', 'evil'],
      ['b', 'x'],
    ])
    expect(report.steps.map(({ status }) => status)).toEqual(['fail', 'fail', 'ok'])
  })
})

describe('commands', () => {
  const chain = async (expected: string[], ran: string[]) => ({
    layout: layout([step('build', { command: expected })]),
    links: [await linkFile(alice, { name: 'build', command: ran })],
  })

  it('differ as lists: what was joined otherwise is another command', async () => {
    expect((await verdict(await chain(['vite', 'build'], ['vite', 'build']))).ok).toBe(true)
    expect(codesOf(await verdict(await chain(['vite', 'build'], ['vite build'])))).toEqual(['E_COMMAND'])
  })

  it('tell what was expected, what ran, and the difference', async () => {
    const [problem] = errorsOf(await verdict(await chain(['vite', 'build'], ['vite', 'build', '--mode', 'staging'])))
    expect(problem).toMatchObject({
      code: 'E_COMMAND',
      step: 'build',
      expected: { text: 'vite build', from: 'layout.steps[0].expected_command' },
      actual: { text: 'vite build --mode staging', from: linkFileName('build', alice.key.keyid) },
      cause: 'extra: --mode staging',
    })
    expect(errorsOf(await verdict(await chain(['vite', '--minify', 'build'], ['vite', 'build'])))[0]!.cause).toBe('missing: --minify')
  })

  it('are only warned about when the caller says so, as the reference tools do', async () => {
    const report = await verdict({ ...(await chain(['a'], ['b'])), options: { commandMismatch: 'warn' } })
    expect([report.ok, warningsOf(report).map(({ code }) => code), report.steps[0]!.warnings.length]).toEqual([true, ['E_COMMAND'], 1])
  })

  it('do not matter where the layout expects none', async () => {
    expect((await verdict(await chain([], ['anything']))).problems).toEqual([])
  })
})

describe('a command that failed', () => {
  const ended = async (value: JsonValue): Promise<Pick<Parameters<typeof verdict>[0], 'layout' | 'links'>> => ({
    layout: layout([step('test', { command: ['npm', 'test'] })]),
    links: [await linkFile(alice, { name: 'test', command: ['npm', 'test'], byproducts: { 'return-value': value } })],
  })

  it.each<[number | bigint]>([[1], [-9], [3_221_225_786], [123_456_789_012_345_678_901n]])(
    'ended with %s: a warning, and a refusal when the caller says so',
    async (value) => {
      const report = await verdict(await ended(value))
      expect([report.ok, report.steps[0]!.warnings]).toEqual([true, [`test: the command ended with ${value}`]])
      expect(warningsOf(report)).toMatchObject([{ code: 'E_COMMAND', step: 'test', file: linkFileName('test', alice.key.keyid) }])
      expect(warningsOf(report)[0]!.fix[0]).toContain('npx intoto run -n test --signing-key KEY -- npm test')
      const strict = await verdict({ ...(await ended(value)), options: { commandFailure: 'error' } })
      expect([strict.ok, errorsOf(strict).map(({ code, step }) => [code, step])]).toEqual([false, [['E_COMMAND', 'test']]])
    },
  )

  it.each<[JsonValue]>([[0], ['1'], [0.5], [null], [true]])('is not what %j says', async (value) => {
    expect((await verdict({ ...(await ended(value)), options: { commandFailure: 'error' } })).problems).toEqual([])
  })

  it('is found where the layout expects no command, and beside one that differs', async () => {
    const links = [await linkFile(alice, { name: 'test', command: ['x'], byproducts: { 'return-value': 1 } })]
    expect(warningsOf(await verdict({ layout: layout([step('test')]), links }))).toHaveLength(1)
    const both = await verdict({ layout: layout([step('test', { command: ['y'] })]), links, options: { commandFailure: 'error' } })
    expect(codesOf(both)).toEqual(['E_COMMAND', 'E_COMMAND'])
  })

  it('harms nobody in a link that does not count', async () => {
    const links = [await linkFile(alice, { name: 'test' }), await linkFile(mallory, { name: 'test', byproducts: { 'return-value': 1 } })]
    expect(codesOf(await verdict({ layout: layout([step('test')]), links, options: { commandFailure: 'error' } }))).toEqual([])
  })
})

describe('through', () => {
  const steps = [step('a'), step('b', { by: [bob] })]

  it('looks at the steps up to one, says so, and runs no inspection', async () => {
    const links = [await linkFile(alice, { name: 'a' })]
    const report = await verdict({
      layout: layout(steps, { inspect: [inspection('i')] }),
      links,
      options: { through: 'a', inspect: () => Promise.reject(new Error('ran')) },
    })
    expect(report).toMatchObject({ ok: true, partial: { through: 'a' } })
    expect([...report.steps, ...report.inspections].map(({ name, status }) => [name, status])).toEqual([
      ['a', 'ok'],
      ['b', 'unchecked'],
      ['i', 'unchecked'],
    ])
  })

  it('refuses a step that does not exist, naming those that do', async () => {
    const [problem] = errorsOf(await verdict({ layout: layout(steps), options: { through: 'c' } }))
    expect(problem).toMatchObject({ code: 'E_CONFIG', fix: [expect.stringContaining('a, b')] })
  })
})

describe('warnings that change no verdict', () => {
  const warned = async (wire: object) => {
    const report = await verdict({ layout: wire, links: [honest] })
    return { ok: report.ok, messages: warningsOf(report).map(({ message }) => message) }
  }

  it('a layout without steps promises nothing', async () => {
    expect(await warned(layout([]))).toEqual({ ok: true, messages: [expect.stringContaining('no steps')] })
  })

  it('unknown members have no effect, and are never taken for satisfied', async () => {
    expect(await warned(layout([{ ...build, expectedAttributes: [] }], { functionaries: {} }))).toEqual({
      ok: true,
      messages: [expect.stringContaining('layout["functionaries"]'), expect.stringContaining('layout.steps[0]["expectedAttributes"]')],
    })
  })

  it('but in a Metablock, where no other tool would sign them, they are refused', async () => {
    const wire = layout([{ ...build, expectedAttributes: [] }], { functionaries: {} })
    const report = await verdict({ layout: wire, format: 'metablock', links: [honest] })
    expect(errorsOf(report).map(({ code, message }) => [code, message])).toEqual([
      ['E_LAYOUT_INVALID', expect.stringContaining('layout["functionaries"]')],
      ['E_LAYOUT_INVALID', expect.stringContaining('layout.steps[0]["expectedAttributes"]')],
    ])
    const link = Object.assign(createLink({ name: 'build' }), { attributes: [] })
    const ok = async (format: 'dsse' | 'metablock') => {
      const judged = await verdict({ layout: layout([build]), links: [await linkFile(alice, link, { format })] })
      return [judged.ok, judged.problems.map(({ message }) => message).join()]
    }
    expect(await ok('dsse')).toEqual([true, ''])
    expect(await ok('metablock')).toEqual([false, expect.stringContaining('"attributes" is no member of a link')])
  })

  it('certificates are known and do not count', async () => {
    const outcome = await warned(layout([{ ...build, cert_constraints: [{}] }], { rootcas: {}, intermediatecas: {} }))
    expect(outcome.ok).toBe(true)
    expect(outcome.messages.filter((message) => message.includes('certificates are not verified here'))).toHaveLength(3)
  })

  it('a key of an unknown kind is no trouble while nobody needs it', async () => {
    const wire = layout([build])
    wire.keys['aabbccdd'] = { keyid: 'aabbccdd', type: 'rsa', method: 'pgp+rsa-pkcsv1.5', keyval: {} }
    expect(await warned(wire)).toEqual({ ok: true, messages: [expect.stringContaining('key aabbccdd is of a kind')] })
  })

  it('an id that no tool derives is odd, not wrong', async () => {
    const wire = layout([{ ...build, pubkeys: ['ab'.repeat(32)] }])
    wire.keys = { ['ab'.repeat(32)]: { ...toLayoutKey(alice.key), keyid: 'ab'.repeat(32) } }
    const link = encodeMetadata(
      await sign(decodeMetadata(Object.values(honest)[0]!).payload, [alice.signer], { keyids: () => ['ab'.repeat(32)] }),
    )
    const report = await verdict({ layout: wire, links: [{ 'build.abababab.link': link }] })
    expect([report.ok, warningsOf(report).map(({ message }) => message)]).toEqual([
      true,
      [expect.stringContaining('no tool derives the id abababab')],
    ])
  })
})

describe('names of keys', () => {
  it('come from the caller, else from the readme that the owner signed', async () => {
    const wire = layout([build], { readme: `made by us\n${alice.key.keyid} alice of CI` })
    const named = await verdict({ layout: wire })
    expect(errorsOf(named)[0]!.message).toBe(`build: no link found, 1 needed from alice of CI (${alice.key.keyid.slice(0, 8)})`)
    const names = new Map([
      [alice.key.keyid, 'ci'],
      [owner.key.keyid, 'olga'],
    ])
    const given = await verdict({ layout: wire, links: [honest], options: { names } })
    expect(given.layout.signers).toEqual([{ keyid: owner.key.keyid, name: 'olga' }])
    expect(given.steps[0]!.links[0]!.name).toBe('ci')
  })

  it('cannot move a cursor', async () => {
    const report = await verdict({ layout: layout([build]), options: { names: new Map([[alice.key.keyid, '\u001b[2Jok\u202e']]) } })
    expect(errorsOf(report)[0]!.message).toContain('\\u{1b}[2Jok\\u{202e}')
  })
})

describe('what to type', () => {
  it('is one line, in which a shell carries out nothing that came from a name', async () => {
    const names = ['a;touch x', '$(touch x)', 'a\nb', "it's", '`x`', 'two words', 'plain.js']
    const wire = layout([step('build', { products: ['DISALLOW *'] })])
    const report = await verdict({
      layout: wire,
      links: [await linkFile(alice, { name: 'build', products: files(Object.fromEntries(names.map((name) => [name, '']))) })],
    })
    const typed = errorsOf(report).flatMap(({ fix }) => fix.filter((line) => line.startsWith('npx intoto explain')))
    const words = ['"a;touch x"', `'$(touch x)'`, `'a\\u{a}b'`, `'it'\\''s'`, "'`x`'", '"two words"', 'plain.js']
    expect(typed.sort()).toEqual(words.map((word) => `npx intoto explain ${word}`).sort())
  })
})

describe('kinds of keys', () => {
  it('a chain of RSA, ECDSA and Ed25519 people verifies', async () => {
    const [rsa, p256, p521] = await Promise.all([person('rsa'), person('ecdsa'), person('ecdsa-p521')])
    const people = [rsa, p256, p521]
    const wire = layout(people.map((who, i) => step(`s${i}`, { by: [who] })))
    for (const { key } of people) wire.keys[key.keyid] = toLayoutKey(key)
    const links = await Promise.all(people.map((who, i) => linkFile(who, { name: `s${i}` })))
    expect((await verdict({ layout: wire, links, by: [rsa], options: { keys: [await importKey(rsa.publicPem)] } })).ok).toBe(true)
  })
})
