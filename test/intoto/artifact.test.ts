/** Artifact names and digests: one spelling when recording, no two readings when verifying, no equality without a strong digest. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { artifactName, cleanName, collisions, equalDigests, usableDigest, type Artifacts } from 'intoto'
import { files, sha256 } from './world.ts'

describe('artifactName', () => {
  it('writes relative names without ./, with .. only in front; absolute ones stay absolute', () => {
    expect(artifactName('./a.js')).toBe('a.js')
    expect(artifactName('src//x/../a.js')).toBe('src/a.js')
    expect(artifactName('../lib/./b.js')).toBe('../lib/b.js')
    expect(artifactName('a/../../b')).toBe('../b')
    expect(artifactName('./../../../b/../c')).toBe('../../../c')
    expect(artifactName('/a/../../b')).toBe('/b')
    expect(artifactName('dist/')).toBe('dist')
    expect(artifactName('.')).toBe('.')
  })

  it('converts a backslash only where it separates', () => {
    expect(artifactName('src\\a.js', '\\')).toBe('src/a.js')
    expect(artifactName('src\\a.js')).toBe('src\\a.js')
  })

  it('leaves its own results alone', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', '.', '..', '', 'b c'), { maxLength: 8 }), (parts) => {
        const name = artifactName(parts.join('/'))
        expect(artifactName(name)).toBe(name)
        expect(cleanName(name)).toBe(name)
      }),
    )
  })
})

describe('collisions', () => {
  const named = (...names: string[]): Artifacts => files(Object.fromEntries(names.map((name) => [name, name])))

  it('finds names that clean to one path, the way dir/../foo once hid behind foo', () => {
    expect(collisions(named('foo', 'dir/../foo'))).toEqual([['foo', 'dir/../foo']])
    expect(collisions(named('a.js', './a.js'))).toHaveLength(1)
    expect(collisions(named('dist/app.js', 'dist//app.js'))).toHaveLength(1)
    expect(collisions(named('a/b', 'a/b/'))).toHaveLength(1)
    for (const end of ['\n', '\r', '\u2028', '\u{1f600}']) expect(collisions(named(`a${end}`, `a${end}/`))).toHaveLength(1)
  })

  it('has nothing against names that only look odd', () => {
    expect(collisions(named('foo', 'bar/foo', '../foo', '/foo', '.foo', 'foo..', '...', 'a\\b', 'a/b'))).toEqual([])
  })

  it('keeps the slashes of a URI name, but not both spellings of one', () => {
    expect(cleanName('docker://image/a')).toBe('docker://image/a')
    expect(collisions(named('docker://image', 'docker:/other'))).toEqual([])
    expect(collisions(named('docker://image', 'docker:/image'))).toHaveLength(1)
    expect(collisions(named('file://a/../b', 'file://b'))).toHaveLength(1)
  })

  it('is not led astray by names that objects inherit', () => {
    expect(collisions(named('__proto__', 'constructor', './toString', 'toString'))).toHaveLength(1)
  })
})

describe('equalDigests', () => {
  const a = sha256('a')
  const long = (letter: string): string => letter.repeat(128)

  it('compares the whole object: one more algorithm is another object', () => {
    expect(equalDigests({ sha256: a }, { sha256: a })).toBe(true)
    expect(equalDigests({ sha256: a }, { sha256: a, sha512: long('a') })).toBe(false)
    expect(equalDigests({ sha256: a, sha512: long('a') }, { sha512: long('a'), sha256: a })).toBe(true)
    expect(equalDigests({ sha256: a, sha512: long('a') }, { sha256: a, sha512: long('b') })).toBe(false)
    expect(equalDigests({ sha512: long('a') }, { sha512: long('a') })).toBe(true)
  })

  it('ties nothing together by no digest, by MD5 or SHA-1 alone, or by a digest of another length', () => {
    expect(equalDigests({}, {})).toBe(false)
    expect(equalDigests({ md5: 'a'.repeat(32) }, { md5: 'a'.repeat(32) })).toBe(false)
    expect(equalDigests({ sha1: 'a'.repeat(40) }, { sha1: 'a'.repeat(40) })).toBe(false)
    expect(equalDigests({ sha256: 'abcd' }, { sha256: 'abcd' })).toBe(false)
    expect(usableDigest({ md5: 'a'.repeat(32), sha384: 'b'.repeat(96) })).toBe(true)
  })

  it('compares letter by letter, as both reference verifiers do', () => {
    expect(equalDigests({ sha256: a }, { sha256: a.toUpperCase() })).toBe(false)
  })
})
