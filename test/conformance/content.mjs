/** Cases about what the metadata says: expiry, rules, patterns, sublayouts, inspections, parameters, JSON itself. Lists only; world.mjs makes the files. */
import { stringifyJson } from 'intoto'
import { artifacts, rules } from './world.mjs'

const expiry = (name, verdict, expires, why) => [name, verdict, '4.2.2, 5.2', why, (w) => w.chain({ layout: (l) => ({ ...l, expires }) })]

export const expiries = [
  expiry('past', 'refuse', '2001-01-01T00:00:00Z', 'the layout has expired'),
  expiry('far', 'accept', '9999-12-31T23:59:59Z', 'the last second there is'),
  expiry('no-such-day', 'refuse', '2100-02-30T00:00:00Z', '30 February'),
  expiry('hour-24', 'refuse', '2100-01-01T24:00:00Z', 'hour 24'),
  expiry('offset', 'refuse', '2100-01-01T00:00:00+00:00', 'an offset in place of Z'),
  expiry('fraction', 'refuse', '2100-01-01T00:00:00.5Z', 'a fraction of a second'),
  expiry('line-feed', 'refuse', '2100-01-01T00:00:00Z\n', 'a line feed behind it'),
  expiry('empty', 'refuse', '', 'an empty expiry'),
  expiry('null', 'refuse', null, 'an expiry of null'),
  ['missing', 'refuse', '4.3', 'a layout without expiry, in DSSE', (w) => w.chain({ layout: ({ expires: _, ...l }) => l })],
]

const rule = (name, verdict, why, { expect, ...given }) => [name, verdict, '4.3.3', why, (w) => w.single({ ...given, expect })]
const made = { products: { a: '1' } }
const kept = { materials: { a: '1' }, products: { a: '1' } }
const changed = { materials: { a: '1' }, products: { a: '2' } }
const gone = { materials: { a: '1' } }

/** A step that makes things, and a step whose materials are compared with them. */
const match = (name, verdict, why, { from, materials, list }) => [
  name,
  verdict,
  '4.3.3',
  why,
  (w) =>
    w.single({
      steps: [w.step('first', { by: ['bob'] })],
      links: [[w.link('first', { materials: artifacts({ m: 'm' }), products: artifacts(from) }), 'bob']],
      materials,
      expect: { materials: list },
    }),
]

export const ruleCases = [
  rule('create', 'accept', 'CREATE takes what is new', { ...made, expect: { products: ['CREATE a', 'DISALLOW *'] } }),
  rule('create-existed', 'refuse', 'CREATE does not take what was there', { ...kept, expect: { products: ['CREATE a', 'DISALLOW *'] } }),
  rule('delete', 'accept', 'DELETE takes what is gone', { ...gone, expect: { materials: ['DELETE a', 'DISALLOW *'] } }),
  rule('delete-kept', 'refuse', 'DELETE does not take what stayed', { ...kept, expect: { materials: ['DELETE a', 'DISALLOW *'] } }),
  rule('modify', 'accept', 'MODIFY takes what changed', { ...changed, expect: { products: ['MODIFY a', 'DISALLOW *'] } }),
  rule('modify-unchanged', 'refuse', 'MODIFY does not take what stayed the same', {
    ...kept,
    expect: { products: ['MODIFY a', 'DISALLOW *'] },
  }),
  rule('allow', 'accept', 'ALLOW takes everything', { ...changed, expect: { products: ['ALLOW *', 'DISALLOW *'] } }),
  rule('disallow', 'refuse', 'DISALLOW refuses what is left', { ...made, expect: { products: ['ALLOW b', 'DISALLOW *'] } }),
  rule('disallow-first', 'refuse', 'rules apply in their order', { ...made, expect: { products: ['DISALLOW *', 'ALLOW *'] } }),
  rule('disallow-of-materials', 'refuse', 'rules of materials apply too', { ...gone, expect: { materials: ['DISALLOW *'] } }),
  rule('nothing-said', 'accept', 'what no rule speaks of is allowed', { ...changed, expect: {} }),
  rule('require', 'accept', 'REQUIRE finds its file', { ...made, expect: { products: ['REQUIRE a'] } }),
  rule('require-missing', 'refuse', 'REQUIRE misses its file', { ...made, expect: { products: ['REQUIRE b'] } }),
  rule('require-no-pattern', 'refuse', 'REQUIRE names a file, not a pattern', { ...made, expect: { products: ['REQUIRE *'] } }),
  rule('require-taken', 'refuse', 'REQUIRE after a rule that took the file', { ...made, expect: { products: ['ALLOW a', 'REQUIRE a'] } }),
  rule('words-in-any-case', 'accept', 'keywords are read in any case', { ...made, expect: { products: ['Create a', 'disallow *'] } }),
  rule('unknown-word', 'refuse', 'a rule that nobody knows', { ...made, expect: { products: ['PERMIT a'] } }),
  rule('word-too-few', 'refuse', 'a rule without its pattern', { ...made, expect: { products: ['ALLOW'] } }),
  rule('word-too-many', 'refuse', 'a rule with a word too many', { ...made, expect: { products: ['ALLOW a b'] } }),
  ['empty-rule', 'refuse', '4.3.3', 'a rule of no words', (w) => w.chain({ layout: (l) => void l.steps[1].expected_products.unshift([]) })],
  [
    'null-rules',
    'accept',
    '4.3.1',
    'a list of rules that is null, as in-toto-golang writes an empty one',
    (w) =>
      w.single({ ...made, steps: [{ ...w.step('first', { by: ['bob'] }), expected_products: null }], links: [[w.link('first'), 'bob']] }),
  ],
  match('match', 'accept', 'MATCH takes an equal product', {
    from: { a: '1' },
    materials: { a: '1' },
    list: ['MATCH * WITH PRODUCTS FROM first', 'DISALLOW *'],
  }),
  match('match-changed', 'refuse', 'MATCH does not take a changed file', {
    from: { a: '1' },
    materials: { a: '2' },
    list: ['MATCH * WITH PRODUCTS FROM first', 'DISALLOW *'],
  }),
  match('match-materials', 'accept', 'MATCH compares with materials', {
    from: {},
    materials: { m: 'm' },
    list: ['MATCH m WITH MATERIALS FROM first', 'DISALLOW *'],
  }),
  match('match-unknown-step', 'refuse', 'MATCH with a step that is not there takes nothing', {
    from: { a: '1' },
    materials: { a: '1' },
    list: ['MATCH * WITH PRODUCTS FROM nobody', 'DISALLOW *'],
  }),
  match('match-source', 'accept', 'MATCH IN takes off the prefix', {
    from: { a: '1' },
    materials: { 'lib/a': '1' },
    list: ['MATCH * IN lib WITH PRODUCTS FROM first', 'DISALLOW *'],
  }),
  match('match-destination', 'accept', 'MATCH … IN puts one on', {
    from: { 'dist/a': '1' },
    materials: { a: '1' },
    list: ['MATCH * WITH PRODUCTS IN dist FROM first', 'DISALLOW *'],
  }),
  match('match-both', 'accept', 'both prefixes, one with its slash', {
    from: { 'dist/x/a': '1' },
    materials: { 'lib/a': '1' },
    list: ['MATCH * IN lib/ WITH PRODUCTS IN dist/x FROM first', 'DISALLOW *'],
  }),
  match('match-beside-prefix', 'refuse', 'MATCH IN does not take what lies beside the prefix', {
    from: { a: '1' },
    materials: { a: '1' },
    list: ['MATCH * IN lib WITH PRODUCTS FROM first', 'DISALLOW *'],
  }),
  match('match-begins-like-prefix', 'refuse', 'a folder whose name begins like the prefix', {
    from: { a: '1' },
    materials: { 'library/a': '1' },
    list: ['MATCH * IN lib WITH PRODUCTS FROM first', 'DISALLOW *'],
  }),
  match('match-of-what', 'refuse', 'a MATCH rule that says neither MATERIALS nor PRODUCTS', {
    from: { a: '1' },
    materials: { a: '1' },
    list: ['MATCH * WITH BYPRODUCTS FROM first'],
  }),
]

const pattern = (name, verdict, why, [text, file]) => [
  name,
  verdict,
  '4.3.3, Python’s fnmatch',
  why,
  (w) => w.single({ products: { [file]: '1' }, expect: { products: [`CREATE ${text}`, 'DISALLOW *'] } }),
]

export const patterns = [
  pattern('star-crosses-folders', 'accept', 'a star stands for slashes too', ['src/*', 'src/deep/er/a.js']),
  pattern('star-in-the-middle', 'accept', 'a star in the middle', ['src/*.js', 'src/deep/a.js']),
  pattern('question-mark', 'accept', 'a question mark stands for one letter', ['a?c', 'abc']),
  pattern('question-mark-astral', 'accept', 'one letter, even beyond U+FFFF', ['a?c', 'a😀c']),
  pattern('question-mark-none', 'refuse', 'a question mark does not stand for nothing', ['ab?', 'ab']),
  pattern('range', 'accept', 'letters in a range', ['a[a-c].js', 'ab.js']),
  pattern('not-in-range', 'refuse', 'letters outside of a range', ['a[!a-c].js', 'ab.js']),
  pattern('caret', 'refuse', 'a caret in brackets is a letter', ['[^a]', 'b']),
  pattern('whole-name', 'refuse', 'a pattern is about the whole name', ['a.js', 'a.js.map']),
  pattern('capitals', 'refuse', 'capital and small letters differ', ['README', 'readme']),
  pattern('open-bracket', 'accept', 'a bracket that does not close is a letter', ['a[b', 'a[b']),
  pattern('brackets-in-names', 'refuse', 'brackets in a pattern are no letters', ['a[b].js', 'a[b].js']),
  [
    'switched-off',
    'refuse',
    '4.3.3',
    'DISALLOW with an open bracket still refuses',
    (w) => w.single({ products: { 'evil[': '1' }, expect: { products: ['DISALLOW evil['] } }),
  ],
  [
    'many-stars',
    'refuse',
    '4.3.3',
    'thirty stars against a long name take no time',
    (w) => w.single({ products: { ['a'.repeat(250)]: '1' }, expect: { products: [`CREATE ${'a*'.repeat(30)}b`, 'DISALLOW *'] } }),
  ],
  [
    'name-not-clean',
    'refuse',
    'CVE-2021-41087',
    'DISALLOW of a name hits its other spelling',
    (w) => w.single({ products: { 'dir/../foo': '1' }, expect: { products: ['DISALLOW foo'] } }),
  ],
]

/** A chain whose one step is a sublayout of bob's, with one inner step by carol. */
async function sub(
  w,
  { inner = (l) => l, signer = 'bob', folder, link = (l) => l, rules: outer = ['MATCH * WITH PRODUCTS FROM build'] } = {},
) {
  const id = w.people.bob.id.slice(0, 8)
  const last = w.step('pack', { materials: [...outer, 'DISALLOW *'] })
  await w.root(w.layout([w.step('build', { by: ['bob'] }), last]))
  const layout = inner(w.layout([w.step('compile', { by: ['carol'], products: ['CREATE *', 'DISALLOW *'] })]))
  w.put(`links/build.${id}.link`, await w.sign(layout, [signer], { ids: () => [w.people.bob.id] }))
  const compiled = link(w.link('compile', { products: artifacts({ a: '1' }) }))
  if (compiled) await w.evidence(compiled, 'carol', { folder: folder ?? `links/build.${id}` })
  await w.evidence(w.link('pack', { materials: artifacts({ a: '1' }) }), 'alice')
}

export const sublayouts = [
  ['honest', 'accept', '4.5', 'a functionary delegates a step', (w) => sub(w)],
  ['link-missing', 'refuse', '4.5', 'a link of the sublayout is missing', (w) => sub(w, { link: () => undefined })],
  ['link-beside', 'refuse', '4.5.2', 'its links lie beside it, not in its folder', (w) => sub(w, { folder: 'links' })],
  ['by-stranger', 'refuse', '4.5', 'the sublayout is signed by somebody else', (w) => sub(w, { signer: 'mallory' })],
  ['expired', 'refuse', '4.5', 'the sublayout has expired', (w) => sub(w, { inner: (l) => ({ ...l, expires: '2001-01-01T00:00:00Z' }) })],
  [
    'rule-broken',
    'refuse',
    '4.5',
    'a rule of the sublayout does not hold',
    (w) => sub(w, { link: (l) => ({ ...l, materials: artifacts({ a: '1' }) }) }),
  ],
  [
    'summary-differs',
    'refuse',
    '4.5.1',
    'its products are not what the next step took',
    (w) => sub(w, { link: (l) => ({ ...l, products: artifacts({ a: '2' }) }) }),
  ],
  [
    'malformed-rule-inside',
    'refuse',
    '4.3.3',
    'a malformed rule in the sublayout',
    (w) => sub(w, { inner: (l) => ({ ...l, steps: [{ ...l.steps[0], expected_products: [['NO', 'RULE']] }] }) }),
  ],
  [
    'own-keys-only',
    'refuse',
    '4.5',
    'the keys of a sublayout are its own, not those of the layout above',
    (w) => sub(w, { inner: (l) => ({ ...l, keys: {} }) }),
  ],
]

const inspection = (run, list = { materials: [], products: [] }) => ({
  _type: 'inspection',
  name: 'look',
  run,
  expected_materials: rules(...list.materials),
  expected_products: rules(...list.products),
})
const inspected =
  (run, list, more = {}) =>
  async (w) => {
    w.put('work/a.js', 'a')
    await w.chain({ layout: (l) => ({ ...l, inspect: [inspection(run, list)] }), ...more })
  }

/** Layouts within layouts, each with one step; the innermost has an inspection. */
const inspectedBelow = (run, people) => async (w) => {
  const idOf = (i) => w.people[people[i]].id.slice(0, 8)
  const layoutOf = (i) => w.layout([w.step(`step${i}`, { by: [people[i]] })], i === people.length - 1 ? { inspect: [inspection(run)] } : {})
  await w.root(layoutOf(0))
  let folder = 'links'
  for (let i = 0; i < people.length - 1; i++) {
    w.put(`${folder}/step${i}.${idOf(i)}.link`, await w.sign(layoutOf(i + 1), [people[i]]))
    folder += `/step${i}.${idOf(i)}`
  }
  await w.evidence(w.link(`step${people.length - 1}`), people.at(-1), { folder })
}

export const inspections = [
  ['well', 'accept', '5.2', 'the command ends well', inspected(['true'])],
  ['badly', 'refuse', '5.2', 'the command ends with 1', inspected(['false'])],
  ['no-such-command', 'refuse', '5.2', 'there is no such command', inspected(['no-such-command-anywhere'])],
  [
    'sees-what-is-there',
    'accept',
    '5.2',
    'rules see the working directory',
    inspected(['true'], { materials: ['ALLOW a.js', 'DISALLOW *'], products: [] }),
  ],
  [
    'planted-file',
    'refuse',
    '5.2',
    'a file that the rules do not speak of',
    inspected(['true'], { materials: ['DISALLOW *.js'], products: [] }),
  ],
  [
    'makes-a-file',
    'refuse',
    '5.2',
    'the command makes what the rules do not allow',
    inspected(['touch', 'b.js'], { materials: [], products: ['ALLOW a.js', 'DISALLOW *.js'] }),
  ],
  ['no-shell', 'accept', '5.2', 'no shell reads the command', inspected(['echo', '$(touch made)', ';', 'touch', 'made']), ['made']],
  [
    'not-before-the-steps',
    'refuse',
    '5.2',
    'nothing runs before the steps are verified',
    inspected(['touch', 'made'], undefined, { build: () => undefined }),
    ['made'],
  ],
  [
    'not-before-the-rules',
    'refuse',
    '4.3.3',
    'nothing runs before all rules have been read',
    inspected(['touch', 'made'], { materials: ['NO RULE'], products: [] }),
    ['made'],
  ],
  ['no-command', 'refuse', '4.3.2', 'an inspection without a command', inspected([])],
  ['below-well', 'accept', '4.5', 'an inspection two sublayouts deep', inspectedBelow(['true'], ['alice', 'bob', 'carol'])],
  ['below-badly', 'refuse', '4.5', 'an inspection of a sublayout ends with 1', inspectedBelow(['false'], ['alice', 'bob'])],
  [
    'deep-below-badly',
    'refuse',
    '4.5',
    'an inspection two sublayouts deep ends with 1',
    inspectedBelow(['false'], ['alice', 'bob', 'carol']),
  ],
]

const parameters = (values, list) => async (w) => {
  w.parameters = values
  await w.single({ products: { 'dist/a.js': '1' }, expect: { products: list } })
}

export const substitutions = [
  ['in-a-rule', 'accept', 'reference tools', 'a parameter in a rule', parameters({ FOLDER: 'dist' }, ['CREATE {FOLDER}/*', 'DISALLOW *'])],
  [
    'of-another-value',
    'refuse',
    'reference tools',
    'the rule speaks of another folder then',
    parameters({ FOLDER: 'lib' }, ['CREATE {FOLDER}/*', 'DISALLOW *']),
  ],
  [
    'without-value',
    'refuse',
    'reference tools',
    'a parameter that has no value',
    parameters({ OTHER: 'x' }, ['CREATE *', 'DISALLOW {FOLDER}']),
  ],
  [
    'once',
    'refuse',
    'reference tools',
    'a value is not read for parameters again',
    parameters({ A: '{B}', B: 'dist' }, ['CREATE {A}/*', 'DISALLOW *']),
  ],
]

const smuggled = (change) => (w) => w.chain({ building: { edit: (e) => change(stringifyJson(e)) } })
const payload = (change) => async (w) => {
  await w.chain({ build: () => undefined })
  const text = stringifyJson(w.link('build', { materials: artifacts({ 'src/a.js': 'a' }), products: artifacts({ 'dist/a.js': 'A' }) }))
  w.put(`links/build.${w.people.bob.id.slice(0, 8)}.link`, await w.sign(change(text), ['bob']))
}
const strange = (name) => async (w) => w.single({ products: { [name]: '1' }, expect: { products: ['CREATE a', 'DISALLOW *'] } })
const expected = (names, format) => (w) =>
  w.single({
    products: Object.fromEntries(names.map((name) => [name, '1'])),
    expect: { products: [...names.map((name) => `CREATE ${name}`), 'DISALLOW *'] },
    ...(format && { format }),
  })

export const documents = [
  [
    'member-twice',
    'refuse',
    'RFC 8259, 4',
    'a member of the envelope that stands twice',
    smuggled((text) => text.replace('{', '{"signatures":[],')),
  ],
  [
    'member-twice-signed',
    'refuse',
    'RFC 8259, 4',
    'a member of the payload that stands twice',
    payload((text) => text.replace('"products":', '"products":{},"products":')),
  ],
  ['something-behind', 'refuse', 'RFC 8259, 2', 'something stands behind the document', smuggled((text) => `${text}{}`)],
  ['byte-order-mark', 'refuse', 'RFC 8259, 8.1', 'a byte order mark in front', payload((text) => `\ufeff${text}`)],
  [
    'not-a-number',
    'refuse',
    'RFC 8259, 6',
    'NaN in the payload',
    payload((text) => text.replace('"return-value":0', '"return-value":NaN')),
  ],
  [
    'half-a-pair',
    'refuse',
    'RFC 8259, 8.2',
    'half a surrogate pair in a signed name',
    payload((text) => text.replace('dist/a.js', 'dist/\\ud800')),
  ],
  [
    'no-utf-8',
    'refuse',
    'RFC 8259, 8.1',
    'bytes that are no UTF-8',
    async (w) =>
      void (await w.chain(), w.put('root.layout', Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xff]), Buffer.from('"}')]))),
  ],
  ['member-in-other-case', 'refuse', '4.4', '"Products" is not "products"', payload((text) => text.replace('"products":', '"Products":'))],
  [
    'too-deep',
    'refuse',
    'RFC 8259, 9',
    '100,000 levels',
    smuggled((text) => text.replace('{', `{"x":${'['.repeat(100_000)}${']'.repeat(100_000)},`)),
  ],
  [
    'too-deep-signed',
    'refuse',
    'RFC 8259, 9',
    '100,000 levels in a signed payload',
    payload((text) => text.replace('{', `{"x":${'['.repeat(100_000)}${']'.repeat(100_000)},`)),
  ],
  [
    'float-in-metablock',
    'refuse',
    '4.1, canonical JSON',
    'a float, which canonical JSON does not know',
    (w) => w.chain({ building: { format: 'metablock', edit: (e) => stringifyJson(e).replace('"return-value":0', '"return-value":0.5') } }),
  ],
  [
    'proto',
    'refuse',
    '4.4',
    'a product called __proto__ is a product',
    async (w) => {
      await w.root(w.layout([w.step('one', { products: ['DISALLOW *'] })]))
      const text = stringifyJson(w.link('one', { products: artifacts({ a: '1' }) })).replace('"a":', '"__proto__":')
      w.put(`links/one.${w.people.alice.id.slice(0, 8)}.link`, await w.sign(text, ['alice']))
    },
  ],
  ['constructor', 'refuse', '4.4', 'a product called constructor is a product', strange('constructor')],
  ['constructor-expected', 'accept', '4.4', 'and may be expected', expected(['constructor'])],
  [
    'order-of-letters',
    'accept',
    '4.1, canonical JSON',
    'names sorted by code point, not by UTF-16 unit',
    expected(['\uff5e', '\u{1f600}'], 'metablock'),
  ],
  [
    'control-characters',
    'accept',
    '4.1, canonical JSON',
    'control characters stand as they are in canonical JSON',
    (w) => w.chain({ build: (l) => ({ ...l, byproducts: { stdout: '\u0001\u001b\n"\\' } }), building: { format: 'metablock' } }),
  ],
  ['html', 'refuse', '4.1', 'a page in place of a layout', async (w) => void (await w.chain(), w.put('root.layout', '<html></html>'))],
]

const changedLayout = (change) => (w) => w.chain({ layout: (l) => void change(l, w) })
const called = (name) => changedLayout((l) => void (l.steps[1].name = name))

export const layouts = [
  ['two-steps-of-one-name', 'refuse', '4.3', 'two steps of one name', changedLayout((l, w) => void l.steps.push(w.step('write')))],
  [
    'inspection-named-as-step',
    'refuse',
    '4.3',
    'an inspection with the name of a step',
    changedLayout((l) => void l.inspect.push({ ...inspection(['true']), name: 'write' })),
  ],
  [
    'type-of-step',
    'refuse',
    '4.3.1',
    'a step that says it is something else',
    changedLayout((l) => void (l.steps[1]._type = 'inspection')),
  ],
  [
    'type-of-layout',
    'refuse',
    '4.3',
    'a link where a layout is expected',
    async (w) => void (await w.chain(), await w.root(w.link('write'))),
  ],
  ['step-without-name', 'refuse', '4.3.1', 'a step without a name', called('')],
  ['step-above', 'refuse', '4.3.1', 'a step whose name leads out of the folder', called('../build')],
  ['steps-no-list', 'refuse', '4.3', 'steps that are no list', changedLayout((l) => void (l.steps = {}))],
  ['inspect-missing', 'refuse', '4.3', 'a layout without the member "inspect"', changedLayout((l) => void delete l.inspect)],
  ['unknown-member', 'accept', '4.3', 'a signed member that nobody knows', changedLayout((l) => void (l.extra = 'x'))],
]
