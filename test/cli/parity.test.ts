/**
 * docs/reference-parity.md and docs/problems against what the command does: every flag of the reference's programs is listed, and accepted or
 * refused as the list says; every code has its page.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { meanings } from '../../packages/cli/src/formats/phrase.ts'
import { intoto, mustRun, problemLine } from './command.ts'
import { reference } from './reference.ts'

const docs = new URL('../../docs/', import.meta.url)
const parity = readFileSync(new URL('reference-parity.md', docs), 'utf8')

describe.each(Object.entries(reference))('%s', (name, list) => {
  const section = parity.split('\n## ').find((part) => part.split('\n')[0]?.includes(`intoto ${name}\``)) ?? ''
  const help = mustRun([...name.split(' '), '--help']).out

  test('each flag stands in the list, and in our help or among the refused ones', () => {
    for (const flag of list.split(' ')) {
      const row = section.split('\n').find((line) => line.startsWith('|') && line.includes(`\`${flag}\``))
      expect(row, `${name} ${flag}`).toBeDefined()
      const refused = row?.split('|')[2]?.trim() === 'refused'
      const known = flag === '--version' || new RegExp(`^ +(-\\w, )?${flag}[ ,]|^ +${flag}[ ,]`, 'm').test(help)
      expect([flag, known]).toEqual([flag, !refused])
    }
  })

  if (!list.includes('--gpg')) return
  test('OpenPGP is refused with advice', () => {
    const needed = { sign: ['-f', 'x'], verify: [] }[name] ?? ['-n', 'x', ...(name === 'run' ? ['-x'] : [])]
    for (const flag of [['--gpg'], ['-g', '8465A1E2'], ['--gpg-home', 'x']]) {
      const ended = intoto([...name.split(' '), ...needed, ...flag])
      expect([ended.code, /^E_UNSUPPORTED .*\n.*intoto keygen/.test(ended.err)]).toEqual([2, true])
    }
  })
})

describe('problem pages', () => {
  const pages = readdirSync(new URL('problems/', docs)).filter((name) => name.startsWith('E_'))

  test('one for each code, and no other; the index lists them', () => {
    expect(pages.map((name) => name.slice(0, -'.md'.length)).sort()).toEqual(Object.keys(meanings).sort())
    const index = readFileSync(new URL('problems/README.md', docs), 'utf8')
    for (const name of pages) expect(index).toContain(`(${name})`)
  })

  test.each(pages)('%s has its meaning, an example in our form, causes and advice', (name) => {
    const code = name.slice(0, -'.md'.length)
    const text = readFileSync(new URL(`problems/${name}`, docs), 'utf8')
    expect(text).toMatch(new RegExp(`^# ${code}: \\S`))
    const example = /```text\n([\s\S]*?)```/.exec(text)?.[1] ?? ''
    expect(problemLine.exec(example)?.[1]).toBe(code)
    expect(text).toMatch(/\n## Likely causes\n\n- .+\n/)
    expect(text).toMatch(/\n## What to do\n\n- .+\n/)
  })
})
