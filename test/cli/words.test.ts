/** Words of a command line that make no sense: exit code 2, and two lines of which the first says where and the second what to type. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { complaints, type Ended, intoto, mustRun, temporaryFolder } from './command.ts'

const folder = temporaryFolder()
const at = (name: string): string => join(folder, name)
const say = (words: readonly string[]): Ended => intoto(words, { cwd: folder })

mustRun(['keygen', '-o', at('owner')])
mustRun(['layout', 'new', '--step', 'b', '--functionary', at('owner.pub'), '--sign-with', at('owner'), '-o', at('root.layout')])
writeFileSync(
  at('binary'),
  Uint8Array.from({ length: 300 }, (_, i) => 255 - (i % 200)),
)
writeFileSync(at('empty'), '')
writeFileSync(at('page.html'), '<html>\n<body>\n</html>\n')
mkdirSync(at('started'))

const make = ['layout', 'new', '--functionary', 'owner.pub', '-o', 'new.layout']
const renew = ['layout', 'renew', 'root.layout', '--sign-with', 'owner', '-o', 'renewed.layout']
const run = ['run', '-n', 'x', '--signing-key', 'owner', '-d', 'links']
const verify = ['verify', '-l', 'root.layout', '-k', 'owner.pub', '-d', 'links']

test.each<[words: string[], where: string, fix: string]>([
  [[...renew, '--days', '0'], '--days', '--days 90'],
  [[...renew, '--days', 'abc'], '--days', '--days 90'],
  [[...renew, '--days', '1e9'], '--days', '--days 90'],
  [[...renew, '--days', '2027-01-01'], '--days', '--expires'],
  [[...renew, '--expires', '2020-01-01'], '--expires', '--expires'],
  [[...renew, '--expires', 'soon'], '--expires', '--expires'],
  [[...renew, '--days', '90', '--expires', '2099-01-01'], '--days and --expires', 'leave one'],
  [[...run, '--run-timeout', 'x', '--', 'true'], '--run-timeout', '--run-timeout 60'],
  [[...verify, '--inspection-timeout', '-4'], '--inspection-timeout', '--inspection-timeout 60'],
  [[...verify, '--at', '2020'], '--at', '--at 2'],
  [['publish', '-k', 'owner.pub', '--wait', 'abc'], '--wait', '--wait 60'],
  [['serve', '-l', 'root.layout', '-k', 'owner.pub', '--port', 'abc'], '--port', '--port 8443'],
  [[...verify, '--substitution-parameters', 'foo'], '--substitution-parameters', 'NAME=VALUE'],
  [[...verify, '--substitution-parameters', 'A=1', 'A=2'], '--substitution-parameters', 'once'],
  [[...make, '--step', 'b=x', 'b=y'], '--step', 'once'],
  [[...make, '--step', 'b=x', '--threshold', 'b=0'], '--threshold', '--threshold b=2'],
  [[...make, '--step', 'b=x', '--rule', 'b'], '--rule', '--rule "b '],
  [[...make, '--step', 'b=x', '--rule', 'b materials FOO x'], '--rule "b materials FOO x"', 'ALLOW'],
  [[...make, '--step', '../b=x'], '"../b"', 'slashes'],
  [['key', 'rotate', 'owner.pub', '-o', 'next', '-l', 'root.layout'], '--sign-with', '--sign-with OWNER'],
  [['key', 'show', 'binary'], 'binary', 'PEM'],
  [['key', 'show', 'empty'], 'empty', 'PEM'],
  [['verify', '-l', 'root.layout', '-k', 'empty'], 'empty', 'PEM'],
  [['verify', '-l', 'root.layout', '-k', 'binary'], 'binary', 'PEM'],
  [['verify', '-l', 'root.layout', '-k', 'owner'], 'owner', 'owner.pub'],
  [['show', 'root.layout', '-k', 'owner'], 'owner', '.pub'],
  [['verify', 'npm:foo@1.0.0', ...verify.slice(1), '--registry', 'nonsense'], 'nonsense', '--registry https://'],
])('%j', (words, where, fix) => {
  const before = readdirSync(folder)
  const ended = say(words)
  expect([ended.code, ended.out], ended.err).toEqual([2, ''])
  const [first, second, ...more] = complaints(ended)
  expect(first).toMatch(/^E_(?:CONFIG|KEY) /)
  expect(first).toContain(where)
  expect(second).toMatch(/^ {2}try /)
  expect(second).toContain(fix.replace('owner.pub', '.pub'))
  expect(more).toEqual([])
  expect(readdirSync(folder)).toEqual(before)
})

describe('a file that is not what it should be is named', () => {
  test('an unfinished link that is damaged', () => {
    const call = { cwd: at('started') }
    mustRun(['record', 'start', '-n', 'a', '--signing-key', '../owner'], call)
    const [name = ''] = readdirSync(at('started'))
    writeFileSync(join(at('started'), name), '{\n')
    const ended = intoto(['record', 'stop', '-n', 'a', '--signing-key', '../owner'], call)
    expect(ended).toMatchObject({ code: 1, err: expect.stringMatching(/^E_FORMAT \.a\.[0-9a-f]{8}\.link-unfinished:2 /) as string })
  })

  test('what show is given and is no metadata', () => {
    const ended = say(['show', 'page.html'])
    expect(ended).toMatchObject({ code: 1, out: '' })
    expect(ended.err).toMatch(/^E_FORMAT page\.html:1 {2}column 1: not strict JSON.*\n {2}try .*layout, link/)
  })
})
