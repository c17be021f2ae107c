/** Layouts as they come from files: everything that can be wrong is found before anything is verified, in both formats, with its place. */
import { describe, expect, it } from 'vitest'
import { decodeMetadata, generateKeyPair, importKey, parseExpires, parseLayout, toLayoutKey } from 'intoto'
import { alice, bob, inspection, layout, owner, signed, step, thrownBy } from './world.ts'

const good = (): any => layout([step('build', { materials: ['DISALLOW *'], products: ['ALLOW *'] })])
const changed = (change: (layout: any) => void): any => {
  const copy = good()
  change(copy)
  return copy
}

describe('parseLayout', () => {
  it('keeps unknown members and reads null lists of Go as empty', () => {
    const parsed = parseLayout(
      changed((l) =>
        Object.assign(l, {
          inspect: null,
          future: 1,
          steps: [{ ...step('a'), expected_command: null, expected_materials: null, pubkeys: null }],
        }),
      ),
    )
    expect(parsed).toMatchObject({ future: 1, inspect: [] })
    expect(parsed.steps[0]).toMatchObject({ expected_command: [], expected_materials: [], pubkeys: [] })
  })

  it('does without a readme, and without steps', () => {
    expect(parseLayout(changed((l) => delete l.readme)).readme).toBeUndefined()
    expect(parseLayout(layout([])).steps).toEqual([])
  })

  const wrong: [string, (l: any) => void, string][] = [
    ['another _type', (l) => (l._type = 'link'), 'layout._type'],
    ['no expiry', (l) => delete l.expires, 'layout.expires'],
    ['an expiry of null', (l) => (l.expires = null), 'layout.expires'],
    ['an empty expiry', (l) => (l.expires = ''), 'layout.expires'],
    ['a number as expiry', (l) => (l.expires = 4102444800), 'layout.expires'],
    ['a readme that is no text', (l) => (l.readme = 1), 'layout.readme'],
    ['no keys', (l) => delete l.keys, 'layout.keys'],
    ['keys in a list', (l) => (l.keys = []), 'layout.keys'],
    ['no steps', (l) => delete l.steps, 'layout.steps'],
    ['steps in an object', (l) => (l.steps = {}), 'layout.steps'],
    ['no inspect, perhaps misspelt', (l) => (delete l.inspect, (l.inspects = [inspection('x')])), 'layout.inspect'],
    ['a step that is text', (l) => (l.steps = ['build']), 'layout.steps[0]'],
    ['a step of another _type', (l) => (l.steps[0]._type = 'inspection'), 'layout.steps[0]._type'],
    ['no threshold', (l) => delete l.steps[0].threshold, 'layout.steps[0].threshold'],
    ['no pubkeys', (l) => delete l.steps[0].pubkeys, 'layout.steps[0].pubkeys'],
    ['pubkeys of one string', (l) => (l.steps[0].pubkeys = alice.key.keyid), 'layout.steps[0].pubkeys'],
    ['no expected_command', (l) => delete l.steps[0].expected_command, 'layout.steps[0].expected_command'],
    ['an expected_command of one string', (l) => (l.steps[0].expected_command = 'vite build'), 'layout.steps[0].expected_command'],
    [
      'misspelt expected_proDucts',
      (l) => ((l.steps[0].expected_proDucts = l.steps[0].expected_products), delete l.steps[0].expected_products),
      'layout.steps[0].expected_products',
    ],
    ['an empty rule', (l) => l.steps[0].expected_products.push([]), 'layout.steps[0].expected_products[1]'],
    ['a rule as text', (l) => (l.steps[0].expected_products = ['ALLOW *']), 'layout.steps[0].expected_products[0]'],
    ['a rule of three words', (l) => (l.steps[0].expected_materials = [['ALLOW', 'a', 'b']]), 'layout.steps[0].expected_materials[0]'],
    ['an inspection of another _type', (l) => (l.inspect = [{ ...inspection('x'), _type: 'step' }]), 'layout.inspect[0]._type'],
    ['an inspection without command', (l) => (l.inspect = [{ ...inspection('x'), run: [] }]), 'layout.inspect[0].run'],
    ['an inspection with an empty command', (l) => (l.inspect = [{ ...inspection('x'), run: ['', 'x'] }]), 'layout.inspect[0].run'],
    ['an inspection with a command of one string', (l) => (l.inspect = [{ ...inspection('x'), run: 'true' }]), 'layout.inspect[0].run'],
    [
      'a malformed rule of an inspection',
      (l) => (l.inspect = [{ ...inspection('x'), expected_products: [['MATCH', '*']] }]),
      'layout.inspect[0].expected_products[0]',
    ],
    ['two steps of one name', (l) => l.steps.push(step('build')), 'layout.steps[1].name'],
    ['a step and an inspection of one name', (l) => (l.inspect = [inspection('build')]), 'layout.inspect[0].name'],
    [
      'a key under an id that is not its own',
      (l) => ((l.keys['c0ffee'] = l.keys[alice.key.keyid]), delete l.keys[alice.key.keyid]),
      'layout.keys.c0ffee.keyid',
    ],
    ['a pubkey that is no hex', (l) => (l.steps[0].pubkeys = ['../../x']), 'layout.steps[0].pubkeys[0]'],
    ['a pubkey that objects inherit', (l) => (l.steps[0].pubkeys = ['constructor']), 'layout.steps[0].pubkeys[0]'],
    ['a key under an id that is no hex', (l) => (l.keys['../../x'] = {}), 'layout.keys["../../x"]'],
    ['a key that is text', (l) => (l.keys['c0ffee'] = 'key'), 'layout.keys.c0ffee'],
  ]
  for (const [what, change, place] of wrong) {
    it(`refuses ${what}, in either format`, async () => {
      const bad = changed(change)
      const error = thrownBy(() => parseLayout(bad))
      expect([error.code, error.message.startsWith(`${place}:`), error.message]).toEqual(['E_LAYOUT_INVALID', true, error.message])
      for (const format of ['dsse', 'metablock'] as const) {
        const bytes = await signed(bad, [owner], { format })
        expect(['E_LAYOUT_INVALID', 'E_FORMAT']).toContain(thrownBy(() => decodeMetadata(bytes)).code)
      }
    })
  }

  for (const threshold of [0, -1, 1.5, '1', true, null, 2n ** 60n, []]) {
    it(`refuses the threshold ${typeof threshold === 'bigint' ? '2^60' : JSON.stringify(threshold)}, saying what was expected`, () => {
      const error = thrownBy(() => parseLayout(changed((l) => (l.steps[0].threshold = threshold))))
      expect(error.code).toBe('E_LAYOUT_INVALID')
      expect(error.message).toMatch(/^layout\.steps\[0\]\.threshold: expected a positive integer, found /)
    })
  }

  for (const name of ['', '.', '..', '../escape', '/abs', 'a/b', 'a\\b', 'nul\0', 1]) {
    it(`refuses a step and an inspection called ${JSON.stringify(name)}, which would leave the folder`, () => {
      expect(thrownBy(() => parseLayout(layout([step(name as string)]))).message).toMatch(/^layout\.steps\[0\]\.name:/)
      expect(thrownBy(() => parseLayout(layout([], { inspect: [inspection(name as string)] }))).message).toMatch(
        /^layout\.inspect\[0\]\.name:/,
      )
    })
  }

  for (const name of ['__proto__', 'constructor', 'toString', 'build[1]', '*', '...', ' ', 'a'.repeat(5000)]) {
    it(`has nothing against a step called ${JSON.stringify(name.slice(0, 20))}`, () => {
      expect(parseLayout(layout([step(name)])).steps[0]!.name).toBe(name)
    })
  }

  it('fills in the id of a key that does not repeat it', () => {
    const { keyid, ...key } = toLayoutKey(alice.key) as any
    expect(parseLayout(layout([], { keys: { [keyid]: key } })).keys[keyid]!.keyid).toBe(keyid)
  })

  it('keeps keys of kinds that it cannot use, whatever they are called', () => {
    const keys = JSON.parse(
      '{"aa": {"type": "rsa", "method": "pgp+rsa-pkcsv1.5", "keyval": {}}, "bb": {"keytype": "hmac", "scheme": "none"}, "cc": {"keytype": "__proto__"}}',
    )
    expect(Object.keys(parseLayout(layout([], { keys })).keys)).toEqual(['aa', 'bb', 'cc'])
  })

  const confused: [string, (key: any) => void][] = [
    ['an ed25519 key tagged rsa', (key) => (key.keytype = 'rsa')],
    ['an ed25519 key with the scheme of ecdsa', (key) => (key.scheme = 'ecdsa-sha2-nistp256')],
    ['a scheme that is none', (key) => (key.scheme = 'none')],
    ['a scheme that objects inherit', (key) => (key.scheme = 'constructor')],
    ['a private key', (key) => (key.keyval.private = 'ab'.repeat(32))],
    ['no material', (key) => (key.keyval = {})],
    ['null for material', (key) => (key.keyval = null)],
    ['a text for material', (key) => (key.keyval = key.keyval.public)],
    ['half a key', (key) => (key.keyval.public = key.keyval.public.slice(0, 32))],
  ]
  for (const [what, change] of confused) {
    it(`refuses ${what}`, () => {
      const key = JSON.parse(JSON.stringify(toLayoutKey(alice.key)))
      change(key)
      const error = thrownBy(() => parseLayout(layout([], { keys: { [alice.key.keyid]: key } })))
      expect(error.code).toBe('E_LAYOUT_INVALID')
      expect(error.message).not.toContain('abab')
    })
  }

  it('accepts the empty private member of old tools', async () => {
    const { publicPem } = await generateKeyPair('ecdsa')
    const key = await importKey(publicPem)
    const object = { ...toLayoutKey(key), keyval: { public: key.keyval.public, private: '' } }
    expect(Object.keys(parseLayout(layout([], { keys: { [key.keyid]: object } })).keys)).toHaveLength(1)
  })

  it('refuses more keys and rules than the limits, naming them, before it looks at one', () => {
    const keys = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [i.toString(16).padStart(64, '0'), {}]))
    expect(() => parseLayout({ ...layout([step('build')]), keys })).toThrow('layout.keys: more than the limit of 1000 (keys)')
    const rules = Array.from({ length: 10_001 }, () => ['no rule'])
    const steps = ['a', 'b'].map((name) => ({ ...step(name), expected_products: rules }))
    expect(() => parseLayout(layout(steps))).toThrow('layout.steps: more than the limit of 20000 (rules)')
    expect(() => parseLayout(layout(steps), { rules: 30_000 })).toThrow('no rule')
  })

  it('refuses more steps, and longer rules, than the limits, naming them', () => {
    const many = thrownBy(() => parseLayout(layout([step('a'), step('b')], { inspect: [inspection('c')] }), { steps: 2 }))
    expect([many.code, many.message]).toEqual(['E_LAYOUT_INVALID', expect.stringContaining('(steps)')])
    const long = thrownBy(() => parseLayout(layout([step('a', { products: [`ALLOW ${'é'.repeat(2100)}`] })])))
    expect([long.code, long.message]).toEqual([
      'E_LAYOUT_INVALID',
      expect.stringContaining('layout.steps[0].expected_products[0]: more than the limit of 4096 (ruleBytes)'),
    ])
  })

  it('gives steps to people by id; who is not in keys can be listed', () => {
    expect(parseLayout(layout([step('a', { by: [alice, bob] })], { keys: {} })).steps[0]!.pubkeys).toHaveLength(2)
  })
})

describe('parseExpires', () => {
  it('reads the one form there is', () => {
    expect(parseExpires('1970-01-01T00:00:00Z')).toBe(0)
    expect(parseExpires('2024-02-29T23:59:59Z')).toBe(Date.UTC(2024, 1, 29, 23, 59, 59))
    expect(parseExpires('0001-01-01T00:00:00Z')).toBeLessThan(parseExpires('0100-01-01T00:00:00Z'))
    expect(new Date(parseExpires('0099-12-31T00:00:00Z')).getUTCFullYear()).toBe(99)
  })

  const odd = [
    '2099-02-30T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '2099-13-01T00:00:00Z',
    '2099-00-01T00:00:00Z',
    '2099-01-00T00:00:00Z',
    '2099-01-32T00:00:00Z',
    '2099-01-01T24:00:00Z',
    '2099-01-01T23:60:00Z',
    '2099-01-01T23:59:60Z',
    '2099-01-01T00:00:00Z\n',
    ' 2099-01-01T00:00:00Z',
    '2099-01-01T00:00:00',
    '2099-01-01T00:00:00+00:00',
    '2099-01-01T00:00:00.5Z',
    '2099-01-01 00:00:00Z',
    '2099-1-1T0:0:0Z',
    '20990101T000000Z',
    '2099-01-01',
    '+2099-01-01T00:00:00Z',
    '12099-01-01T00:00:00Z',
    '0000-01-01T00:00:00Z',
    '٢٠٩٩-01-01T00:00:00Z',
    'NaN',
    '',
  ]
  for (const text of odd) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(thrownBy(() => parseExpires(text)).code).toBe('E_LAYOUT_INVALID')
    })
  }
})
