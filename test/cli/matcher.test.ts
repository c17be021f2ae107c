/** What an editor lists of real verdicts: as many problems as there are, each with its code, the file that it is about, the line in it and the text. */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Problem, Report } from 'intoto'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Chain, copyOf, makeChain } from './chain.ts'
import { type Ended, intoto, mustRun, temporaryFolder } from './command.ts'
import { matches } from './matcher.ts'

let chain: Chain

beforeAll(() => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'whole'))
  chain = makeChain(join(folder, 'whole'), 'test')
})

const words = ['verify', 'dist', '-k', 'in-toto/owner.pub', '--through', 'test']
const verdict = ({ call }: Chain, ...more: string[]): Ended => intoto([...words, ...more], call)

function link(root: string, folder: string, step: string): string {
  return join(root, folder, readdirSync(join(root, folder)).find((name) => name.startsWith(`${step}.`)) ?? '')
}

describe('the problems of a verdict', () => {
  test.each<[string, (chain: Chain) => void, readonly string[]]>([
    ['a changed file', ({ root }) => appendFileSync(join(root, 'dist/index.js'), '// evil'), ['E_TAMPER']],
    ['an added file with a blank in its name', ({ root }) => writeFileSync(join(root, 'dist/a b.js'), ''), ['E_PRODUCT']],
    ['a step without link', ({ root }) => rmSync(link(root, 'in-toto', 'test')), ['E_MISSING_STEP']],
    [
      'another command',
      ({ call }) =>
        mustRun(
          ['run', '-n', 'test', '--signing-key', '../keys/alice', '-m', 'dist', 'src', 'package.json', '--', 'node', '--version'],
          call,
        ),
      ['E_COMMAND'],
    ],
    [
      'a link of somebody else',
      ({ root, call }) => {
        rmSync(link(root, 'in-toto', 'test'))
        mustRun(['run', '-n', 'test', '--signing-key', '../keys/ci', '-m', 'dist', '--', 'node', '--check', 'dist/index.js'], call)
      },
      ['E_ACTOR'],
    ],
    [
      'a link that was changed',
      ({ root }) => {
        const file = link(root, 'dist', 'build')
        const envelope = JSON.parse(readFileSync(file, 'utf8')) as { payload: string }
        const payload = Buffer.from(envelope.payload, 'base64').toString('utf8').replace('npm', 'npx')
        writeFileSync(file, JSON.stringify({ ...envelope, payload: Buffer.from(payload).toString('base64') }))
      },
      ['E_SIGNATURE'],
    ],
    ['half a link', ({ root }) => writeFileSync(link(root, 'dist', 'build'), '{\n  "payload"'), ['E_MISSING_STEP', 'E_FORMAT']],
  ])('%s', (_what, damage, codes) => {
    const copy = copyOf(chain)
    damage(copy)
    const { code, out } = verdict(copy)
    expect(code).toBe(1)
    const { problems } = JSON.parse(verdict(copy, '--format', 'json').out) as Report
    const found = matches(out)
    expect(found.map((match) => match.code)).toEqual(expect.arrayContaining([...codes]))
    const subject = ({ file, step }: Problem): string => file ?? step ?? ''
    expect(found.map(({ code, file }) => `${code} ${file}`).toSorted()).toEqual(problems.map((p) => `${p.code} ${subject(p)}`).toSorted())
    for (const { message } of found) expect(message).toMatch(/^\S/)
  })

  test('a layout that is malformed: the line in it', () => {
    const { root, call } = copyOf(chain)
    writeFileSync(join(root, 'in-toto/root.layout'), '{\n  "payload": x\n}')
    const { err } = intoto(words, call)
    expect(matches(err)).toEqual([
      expect.objectContaining({ code: expect.stringMatching(/^E_/) as string, file: 'in-toto/root.layout', line: '2' }),
    ])
  })

  test('what the doctor finds', () => {
    const { root, call } = copyOf(chain)
    rmSync(join(root, 'dist/index.js'))
    const { out } = intoto(['doctor'], call)
    const { findings } = JSON.parse(intoto(['doctor', '--format', 'json'], call).out) as {
      findings: { code: string; file: string; message: string }[]
    }
    expect(findings.length).toBeGreaterThan(0)
    expect(matches(out)).toEqual(findings.map(({ code, file, message }) => ({ code, file, message })))
  })
})
