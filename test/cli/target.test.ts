/** What may lie where a command is told to write: an earlier output of its kind. A key, other metadata and what the call reads are refused before any work is done. */
import { copyFileSync, linkSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Ended, intoto, mustRun, temporaryFolder } from './command.ts'

const folder = temporaryFolder()
const at = (name: string): string => join(folder, name)
const text = (name: string): string => readFileSync(at(name), 'latin1')
const must = (...words: string[]): Ended => mustRun(words, { cwd: folder })

for (const name of ['owner', 'ci']) must('keygen', '-o', name)
must('layout', 'new', '--step', 'build', '--functionary', 'ci.pub', '--sign-with', 'owner', '-o', 'root.layout')
must('layout', 'new', '--step', 'build', '--functionary', 'ci.pub', '--format', 'metablock', '-o', 'plain.layout')
writeFileSync(at('product.txt'), 'made')
must('run', '-n', 'build', '--signing-key', 'ci', '-p', 'product.txt', '-d', 'links', '-x')
must('mock', '-n', 'build', '--', process.execPath, '--version')
copyFileSync(at('root.layout'), at('second.layout'))
linkSync(at('product.txt'), at('same.txt'))
if (process.platform !== 'win32') symlinkSync('owner', at('pointer'))
writeFileSync(at('indented.layout'), `\ufeff\n${JSON.stringify(JSON.parse(text('root.layout')), null, 2)}`)
writeFileSync(at('old.key'), JSON.stringify({ keytype: 'ed25519', keyval: { public: '00', private: '00' } }))
writeFileSync(at('commented.pem'), `Bag Attributes\r\n  name: x\r\n${text('owner').replaceAll('\n', '\r\n')}`)

const judged = ['product.txt', '-k', 'owner.pub', '-l', 'root.layout', '-d', 'links']
const twice = ['--format', 'json', '--output', 'new.json', '--format', 'html', '--output']
const renew = ['layout', 'renew', 'root.layout', '--days', '3', '--sign-with', 'owner']
const expectRefusal = (words: readonly string[], file: string): void => {
  const [before, changed] = [text(file), statSync(at(file)).mtimeMs]
  const ended = intoto(words, { cwd: folder })
  expect(ended, ended.err).toMatchObject({ code: 2, out: '' })
  expect(ended.err).toMatch(/^E_CONFIG \S+ {2}.*not overwritten\n {2}try .*\n$/m)
  expect(ended.err).toContain(file)
  expect([text(file), statSync(at(file)).mtimeMs]).toEqual([before, changed])
}

describe('refused', () => {
  test.each<[string, string[], string]>([
    ['sign, the key that signs', ['sign', '-f', 'root.layout', '-k', 'owner', '-o', 'owner'], 'owner'],
    ['sign, a public key', ['sign', '-f', 'root.layout', '-k', 'owner', '-o', 'ci.pub'], 'ci.pub'],
    ['sign, a layout over a link', ['sign', '-f', 'root.layout', '-k', 'owner', '-o', 'build.link'], 'build.link'],
    ['sign, a link over a layout', ['sign', '-f', 'build.link', '-k', 'ci', '-o', 'plain.layout'], 'plain.layout'],
    ['layout renew, the key that signs', [...renew, '-o', 'owner'], 'owner'],
    ['layout renew, the owner’s public key', [...renew, '-o', 'owner.pub'], 'owner.pub'],
    ['layout new by force, a key', ['layout', 'new', '--step', 'a', '--functionary', 'ci.pub', '--force', '-o', 'owner'], 'owner'],
    ['layout diff, a key', ['layout', 'diff', 'root.layout', 'plain.layout', '--output', 'owner'], 'owner'],
    ['layout diff, a layout', ['layout', 'diff', 'root.layout', 'plain.layout', '--output', 'plain.layout'], 'plain.layout'],
    ['page, a key', ['page', '-o', 'owner'], 'owner'],
    ['report, a key', ['report', ...judged, '-o', 'owner'], 'owner'],
    ['report, the layout', ['report', ...judged, '-o', 'root.layout'], 'root.layout'],
    ['verify, a key', ['verify', ...judged, '--output', 'owner'], 'owner'],
    ['verify, the product', ['verify', ...judged, '--format', 'json', '--output', 'product.txt'], 'product.txt'],
    ['verify, the product by another name', ['verify', ...judged, '--format', 'json', '--output', 'same.txt'], 'same.txt'],
    ['verify, the second of two', ['verify', ...judged, ...twice, 'owner'], 'owner'],
    ['a layout that is indented', ['verify', ...judged, '--output', 'indented.layout'], 'indented.layout'],
    ['a key in the old form', ['page', '-o', 'old.key'], 'old.key'],
    ['a key with words before it', ['page', '-o', 'commented.pem'], 'commented.pem'],
  ])('%s', (_what, words, file) => expectRefusal(words, file))

  test.skipIf(process.platform === 'win32')('a symbolic link to a key', () => expectRefusal(['page', '-o', 'pointer'], 'pointer'))

  test('what a broken layout leads to does not replace it', () => {
    writeFileSync(at('broken.layout'), 'no layout')
    const words = ['verify', 'product.txt', '-k', 'owner.pub', '-l', 'broken.layout', '--format', 'json', '--output', 'broken.layout']
    expectRefusal(words, 'broken.layout')
  })

  test('provenance, the tarball itself or a key, as Statement and as bundle', () => {
    writeFileSync(at('lib.tgz'), 'tarball')
    const words = ['provenance', 'lib.tgz', '--signing-key', 'ci', '-d', 'links']
    for (const file of ['lib.tgz', 'owner', 'root.layout']) {
      expectRefusal([...words, '-o', file], file)
      expectRefusal([...words, '--bundle', file], file)
    }
  })
})

describe('replaced', () => {
  test.each<[string, string[], string]>([
    ['the file being signed', ['sign', '-f', 'second.layout', '-k', 'owner', '-o', 'second.layout'], 'second.layout'],
    ['another layout, by a signed one', ['sign', '-f', 'root.layout', '-k', 'owner', '-o', 'second.layout'], 'second.layout'],
    ['the layout being renewed', [...renew, '-o', 'root.layout'], 'root.layout'],
    ['a report in HTML', ['report', ...judged, '-o', 'report.html'], 'report.html'],
    ['a report in JSON', ['verify', ...judged, '--format', 'json', '--output', 'report.json'], 'report.json'],
    ['a report in SARIF', ['verify', ...judged, '--format', 'sarif', '--output', 'report.sarif'], 'report.sarif'],
    ['a report for GitLab', ['verify', ...judged, '--format', 'gitlab', '--output', 'report.gl'], 'report.gl'],
    ['a report in text', ['verify', ...judged, '--output', 'report.txt'], 'report.txt'],
    ['differences', ['layout', 'diff', 'root.layout', 'plain.layout', '--format', 'json', '--output', 'diff.json'], 'diff.json'],
    ['the page', ['page', '-o', 'page.html'], 'page.html'],
    ['an empty file', ['page', '-o', 'empty'], 'empty'],
  ])('%s', (_what, words, file) => {
    if (file === 'empty') writeFileSync(at(file), '')
    must(...words)
    must(...words)
    expect(text(file)).not.toBe('')
  })
})
