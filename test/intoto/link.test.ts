/** Links as they come from files: what must be there, what may be absent, and names that bite objects. */
import { describe, expect, it } from 'vitest'
import { createLink, isLinkFileName, linkFileName, parseJson, parseLink, utf8 } from 'intoto'
import { files, sha256, thrownBy } from './world.ts'

const good = {
  _type: 'link',
  name: 'build',
  materials: {},
  products: { 'a.js': { sha256: sha256('a') } },
  byproducts: { 'return-value': 0 },
  command: ['vite', 'build'],
  environment: {},
}
const without = (member: string): object => Object.fromEntries(Object.entries(good).filter(([name]) => name !== member))
const parsed = (text: string): unknown => parseJson(utf8(text)).value

describe('parseLink', () => {
  it('keeps every member, known or not', () => {
    const link = parseLink({ ...good, future: [1], readme: 'x' })
    expect(link).toMatchObject({ name: 'build', command: ['vite', 'build'], future: [1], readme: 'x' })
  })

  it('tolerates an absent or null environment, and null where Go means an empty list', () => {
    expect(parseLink(without('environment')).environment).toBeUndefined()
    expect(parseLink({ ...good, environment: null }).environment).toBeUndefined()
    expect(parseLink({ ...good, command: null }).command).toEqual([])
    expect(JSON.stringify(parseLink({ ...good, command: null, environment: null }))).not.toContain('null')
  })

  for (const member of ['_type', 'name', 'materials', 'products', 'byproducts', 'command']) {
    it(`requires ${member}: absent products, read as none, would satisfy DISALLOW *`, () => {
      const error = thrownBy(() => parseLink(without(member)))
      expect(error.code).toBe('E_FORMAT')
      expect(error.message).toContain(`link.${member}`)
    })
  }

  const odd: [string, object, string][] = [
    ['another _type', { _type: 'Link' }, 'link._type'],
    ['a name that is no text', { name: 1 }, 'link.name'],
    ['a command in one string', { command: 'vite build' }, 'link.command'],
    ['a command with a number', { command: ['a', 1] }, 'link.command[1]'],
    ['materials in a list', { materials: [] }, 'link.materials'],
    ['materials that are null', { materials: null }, 'link.materials'],
    ['byproducts that are null', { byproducts: null }, 'link.byproducts'],
    ['a digest that is a number', { products: { a: { sha256: 1 } } }, 'link.products.a.sha256'],
    ['a digest that is not hex', { products: { a: { sha256: 'xyz' } } }, 'link.products.a.sha256'],
    ['an empty digest', { products: { a: { sha256: '' } } }, 'link.products.a.sha256'],
    ['a string in place of digests', { products: { 'a b': 'abcd' } }, 'link.products["a b"]'],
    ['null in place of digests', { products: { a: null } }, 'link.products.a'],
    ['a list in place of digests', { products: { a: ['abcd'] } }, 'link.products.a'],
    ['an environment that is text', { environment: 'x' }, 'link.environment'],
  ]
  for (const [what, change, place] of odd) {
    it(`refuses ${what}, naming ${place}`, () => {
      const error = thrownBy(() => parseLink({ ...good, ...change }))
      expect([error.code, error.message.startsWith(`${place}:`)]).toEqual(['E_FORMAT', true])
    })
  }

  it('knows exact names only: Products is another member than products', () => {
    expect(thrownBy(() => parseLink({ ...without('products'), Products: {} })).code).toBe('E_FORMAT')
  })

  it('holds artifacts of any name, among them those that objects inherit', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '0', '']
    const text = `{"_type":"link","name":"x","materials":{},"byproducts":{},"command":[],"products":{${names.map((name) => `${JSON.stringify(name)}:{"sha256":"${sha256(name)}"}`).join()}}}`
    const link = parseLink(parsed(text))
    expect(Object.keys(link.products).sort()).toEqual([...names].sort())
    expect(link.materials['constructor']).toBeUndefined()
    expect(parseLink(JSON.parse(text)).products['__proto__']).toEqual({ sha256: sha256('__proto__') })
    expect(parseLink(JSON.parse(text)).materials['constructor']).toBeUndefined()
  })

  it('refuses more artifacts than the limit, naming it', () => {
    const error = thrownBy(() => parseLink({ ...good, products: files({ a: '', b: '', c: '' }) }, { artifacts: 2 }))
    expect([error.code, error.message]).toEqual(['E_FORMAT', expect.stringContaining('artifacts')])
  })
})

describe('createLink', () => {
  it('writes all seven members, artifacts in order', () => {
    const link = createLink({ name: 'build', products: files({ b: '', a: '' }) })
    expect(Object.keys(link)).toEqual(['_type', 'name', 'materials', 'products', 'byproducts', 'command', 'environment'])
    expect(Object.keys(link.products)).toEqual(['a', 'b'])
  })

  it('refuses what could not be read back', () => {
    expect(thrownBy(() => createLink({ name: 'build', products: { a: { sha256: 'nonsense' } } })).code).toBe('E_FORMAT')
  })
})

describe('link file names', () => {
  it('are the step and eight letters of the key id, a step name with special letters included', () => {
    expect(linkFileName('build[1]', 'c0ffee1234')).toBe('build[1].c0ffee12.link')
    expect(isLinkFileName('build[1].c0ffee12.link')).toBe(true)
    for (const name of [
      'build.link',
      '.c0ffee12.link',
      'build.c0ffee1.link',
      'build.c0ffee123.link',
      'build.c0ffee12.link.js',
      'a/build.c0ffee12.link',
      'build.coffee12.link',
    ]) {
      expect([name, isLinkFileName(name)]).toEqual([name, false])
    }
  })
})
