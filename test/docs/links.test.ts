/** Every link of the documents leads somewhere: to a file of this repository, to a heading in it, or to an address that is one. */
import { existsSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'
import { anchors, documents, readDocument, root, targets } from './document.ts'

/** What is wrong with a link; undefined where nothing is. */
function fault(from: string, target: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) {
    if (/^mailto:[^@\s]+@[^@\s]+$/.test(target)) return undefined
    return /^https:\/\/[a-z0-9.-]+\.[a-z]{2,}(\/\S*)?$/.test(target) && URL.canParse(target) ? undefined : 'is no https address'
  }
  const [path = '', anchor] = target.split('#')
  const name = path === '' ? from : posix.join(posix.dirname(from), path)
  if (name.startsWith('..') || !existsSync(`${root}${name}`)) return 'leads to no file of this repository'
  if (anchor === undefined) return undefined
  return name.endsWith('.md') && anchors(readDocument(name)).has(anchor) ? undefined : 'names no heading there'
}

describe('links', () => {
  test.each(documents.map((document) => [document.name, document] as const))('%s', (name, document) => {
    const faults = targets(document).map((target) => [target, fault(name, target)])
    expect(faults.filter(([, what]) => what !== undefined)).toEqual([])
  })

  test('a link to nothing is found', () => {
    expect(fault('docs/layouts.md', '../README.md#two-minutes')).toBeUndefined()
    expect(fault('docs/layouts.md', '#learn-one')).toBeUndefined()
    for (const wrong of ['../READ.md', '../README.md#two-hours', '#learn', '../../x.md', 'http://example.org', 'https://example'])
      expect(fault('docs/layouts.md', wrong), wrong).toBeTypeOf('string')
  })

  test('every page of docs is linked from another', () => {
    const linked = new Set<string>()
    for (const document of documents)
      for (const target of targets(document))
        if (!target.includes(':')) linked.add(posix.join(posix.dirname(document.name), target.split('#')[0] ?? '').replace(/\/$/, ''))
    const pages = documents.map(({ name }) => name).filter((name) => name.startsWith('docs/'))
    expect(pages.filter((name) => !linked.has(name) && !linked.has(posix.dirname(name)))).toEqual([])
  })

  test('the index lists every page of docs, or its folder', () => {
    const listed = new Set(targets(readDocument('docs/README.md')).map((target) => posix.join('docs', target)))
    const pages = documents.map(({ name }) => name).filter((name) => name.startsWith('docs/') && name !== 'docs/README.md')
    expect(pages.filter((name) => !listed.has(name) && !listed.has(posix.dirname(name)))).toEqual([])
  })
})
