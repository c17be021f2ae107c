/** What follows a document notices when the document is wrong. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bareEnvironment, temporaryFolder } from '../cli/command.ts'
import type { Block } from './document.ts'
import { follow } from './shell.ts'

const root = temporaryFolder()
const sh = (text: string, ...marks: string[]): Block => ({ language: 'sh', marks, text })
const said = (...blocks: readonly Block[]) => follow(blocks, { root, aside: join(root, 'aside'), env: bareEnvironment() })

const isShell = process.platform !== 'win32'

test.runIf(isShell)('folder and variables last, files are written where the shell is, numbers and key ids may differ', async () => {
  writeFileSync(join(root, 'package.json'), '{ "name": "a", "scripts": { "build": "x" } }')
  const script: Block = { language: 'json', marks: ['package.json'], text: '{ "scripts": { "test": "y" } }' }
  const note: Block = { language: 'js', marks: ['note.js'], text: 'export {}\n' }
  const build = 'echo "[in-toto] build: 214 materials -> dist/build.0a1b2c3d.link, dist/index-AbCd_123.js"'
  const shown = '# [in-toto] build: 3 materials -> dist/build.4f3c9a1b.link, dist/index-BF8QNONU.js'
  expect(
    await said(
      script,
      sh('mkdir deep && cd deep\nexport WHERE=here\n'),
      note,
      sh(`cat note.js\n# export {}\necho $WHERE\n# here\n${build}\n${shown}\n`),
    ),
  ).toBe(undefined)
  expect(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))).toEqual({ name: 'a', scripts: { build: 'x', test: 'y' } })
})

test.runIf(isShell).each<[string, Block, RegExp]>([
  ['a command that fails', sh('false\n'), /^false\nended with 1, not 0/],
  ['one that fails before the refused one', sh('exit 1\ntrue\n', 'refused'), /^exit 1\nended with 1, not 0/],
  ['a yes where a no is shown', sh('true\n', 'refused'), /^true\nended with 0, not 1/],
  ['a no of another kind', sh('exit 2\n', 'refused'), /^exit 2\nended with 2, not 1/],
  ['other words', sh('echo Not verified.\n# Verified.\n'), /did not print\nVerified\./],
  ['another number of words', sh('echo "ok build"\n# ok test\n'), /did not print/],
])('%s is found', async (_what, block, fault) => {
  expect(await said(block)).toMatch(fault)
})

test.runIf(isShell)('what is for other machines is left out', async () => {
  expect(await said(sh('exit 9\n', 'not-run'))).toBeUndefined()
})
