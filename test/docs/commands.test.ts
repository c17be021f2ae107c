/** Every command line that the documents show is one: our commands by what their --help lists, `npm run` by the scripts of this repository. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { mustRun } from '../cli/command.ts'
import { commandsOf, documents, lines, root, type Document } from './document.ts'

/** What a flag takes, and which values are allowed where it is a choice. */
interface Flag {
  readonly value: boolean
  readonly choices?: readonly string[]
}

const overview = mustRun(['--help']).out
const names = Array.from(overview.matchAll(/^ {2}([a-z-]+(?: [a-z]+)?) {2,}\S/gm), ([, name = '']) => name)
const groups = new Set(names.filter((name) => name.includes(' ')).map((name) => name.split(' ')[0] ?? ''))
const known = new Map<string, ReadonlyMap<string, Flag>>()

/** The flags of a command, as its help lists them. */
function flagsOf(name: string): ReadonlyMap<string, Flag> {
  const before = known.get(name)
  if (before !== undefined) return before
  const flags = new Map<string, Flag>()
  for (const [, short, long = '', value, words = ''] of mustRun([...name.split(' '), '--help']).out.matchAll(
    /^ {2}(?:(-\w), )?(--[\w-]+)( [<[][^>\]]+[>\]])?(.*)$/gm,
  )) {
    const list = /\(choices: ((?:"[^"]+"(?:, )?)+)/.exec(words)?.[1]
    const choices = list === undefined ? undefined : Array.from(list.matchAll(/"([^"]+)"/g), ([, choice = '']) => choice)
    const flag = { value: value !== undefined, ...(choices === undefined ? {} : { choices }) }
    flags.set(long, flag)
    if (short !== undefined) flags.set(short, flag)
  }
  known.set(name, flags)
  return flags
}

/** What is wrong with the words behind `intoto`; undefined where nothing is. */
function fault(words: readonly string[]): string | undefined {
  const [first = '', second = ''] = words
  if (words.length === 1 && groups.has(first)) return undefined
  if (first === 'COMMAND') return undefined
  if (first.startsWith('-')) return ['--help', '--version'].includes(first) ? undefined : `unknown flag ${first}`
  const alternatives = groups.has(first) ? second.split('|').map((one) => `${first} ${one}`) : [first]
  const unknown = alternatives.find((name) => !names.includes(name))
  if (unknown !== undefined) return `unknown command ${unknown}`
  const rest = words.slice(groups.has(first) ? 2 : 1)
  const end = rest.indexOf('--')
  return alternatives.map((name) => faultOfFlags(name, end < 0 ? rest : rest.slice(0, end))).find((what) => what !== undefined)
}

function faultOfFlags(name: string, words: readonly string[]): string | undefined {
  const flags = flagsOf(name)
  for (const [place, word] of words.entries()) {
    if (!/^--?[a-z]/i.test(word)) continue
    const [title = '', inline] = word.split('=')
    const flag = flags.get(title)
    if (flag === undefined) return `${name}: unknown flag ${title}`
    const value = inline ?? words[place + 1]
    if (flag.value && (value === undefined || value.startsWith('-'))) return `${name}: ${title} lacks its value`
    if (flag.value && flag.choices !== undefined && !flag.choices.includes(value ?? '') && !/^[A-Z…]/.test(value ?? ''))
      return `${name}: ${title} ${value} is none of ${flag.choices.join(', ')}`
  }
  return undefined
}

/** The words behind `intoto` where a command is ours, however it is started. */
function ours(words: readonly string[]): readonly string[] | undefined {
  const rest = words[0] === 'npx' ? words.slice(words.findIndex((word, place) => place > 0 && !word.startsWith('-'))) : words
  if (rest[0] === 'intoto' || (words[0] === 'npx' && rest[0] === 'unplugin-in-toto')) return rest.slice(1)
  return undefined
}

/** Commands in the blocks and in the prose of a document. */
function shown(document: Document): string[][] {
  const blocks = document.blocks.flatMap((block) => {
    if (block.language === 'sh') return lines(block)
    if (block.language === 'json') return Array.from(block.text.matchAll(/": "((?:npx )?intoto [^"]+)"/g), ([, line = '']) => line)
    if (block.language === 'yaml') return Array.from(block.text.matchAll(/^\s*(?:- )?(?:run: )?(npx .+)$/gm), ([, line = '']) => line)
    return []
  })
  const spans = Array.from(document.prose.matchAll(/`((?:npx )?(?:intoto|unplugin-in-toto)\s[^`]+)`/g), ([, line = '']) => line)
  const flags = spans.map((line) => line.replaceAll(/\s+/g, ' ').replace(/ #.*/, ''))
  return [...blocks, ...flags.map((line) => line.replaceAll(/(?<=[a-z])\|(?=[a-z])/g, '\u0000'))]
    .flatMap(commandsOf)
    .map((words) => words.map((word) => word.replaceAll('\u0000', '|')))
}

describe('commands of ours', () => {
  test.each(documents.map((document) => [document.name, document] as const))('%s', (_, document) => {
    const faults = shown(document).flatMap((words) => {
      const what = ours(words) === undefined ? undefined : fault(ours(words) ?? [])
      return what === undefined ? [] : [[words.join(' '), what]]
    })
    expect(faults).toEqual([])
  })

  test('a wrong line is found', () => {
    expect(fault(['verify', 'dist', '-k', 'owner.pub', '--format', 'sarif'])).toBeUndefined()
    expect(fault(['layout', 'learn|diff'])).toBeUndefined()
    for (const wrong of ['learn', 'layout lean', 'verify --key x', 'verify -k', 'verify --command-mismatch no', 'layout learn|lean'])
      expect(fault(wrong.split(' ')), wrong).toBeTypeOf('string')
  })

  test('the overview names each command that README shows, and some are shown', () => {
    const readme = documents.find(({ name }) => name === 'README.md')
    expect(shown(readme as Document).filter((words) => ours(words) !== undefined).length).toBeGreaterThan(12)
    expect(names.length).toBeGreaterThan(20)
  })
})

describe('scripts of this repository', () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: Record<string, string> }

  test.each(['CONTRIBUTING.md', 'playground/README.md', 'docs/performance.md', 'docs/frameworks.md', 'docs/interop.md'])('%s', (name) => {
    const text = documents.find((document) => document.name === name)?.text ?? ''
    const called = Array.from(text.matchAll(/npm run ([\w:-]+)/g), ([, script = '']) => script)
    expect(called.length).toBeGreaterThan(0)
    expect(called.filter((script) => scripts[script] === undefined)).toEqual([])
  })
})
