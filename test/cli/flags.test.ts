import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { declareAll, type CommandFile } from '../../packages/cli/src/command.ts'
import { parseByCommander } from '../../packages/cli/src/commander.ts'
import { Declared, type Said } from '../../packages/cli/src/flags.ts'
import { InTotoError } from 'intoto'

const folder = fileURLToPath(new URL('../../packages/cli/src/', import.meta.url))

/** Every command there is, by the name of its file and export. */
async function everyCommand(): Promise<[string, CommandFile][]> {
  Object.assign(globalThis, { PACKAGE_VERSION: '0.0.0' })
  // These two are no libraries: to load them is to run a command, and its end is the end of the process.
  const files = (readdirSync(folder, { recursive: true }) as string[]).filter(
    (name) => name.endsWith('.ts') && !['main.ts', 'entry.ts'].includes(name),
  )
  const found: [string, CommandFile][] = []
  for (const file of files) {
    const exported = (await import(join(folder, file))) as Record<string, unknown>
    for (const [name, value] of Object.entries(exported))
      if (typeof (value as CommandFile | undefined)?.declare === 'function') found.push([`${file} ${name}`, value as CommandFile])
  }
  return found
}

const commands = await everyCommand()
const named = (file: string): CommandFile => commands.find(([name]) => name.startsWith(`${file} `))![1]

/** Our own way; undefined where it leaves the words to commander. */
function read(file: CommandFile, words: readonly string[]): Said | undefined {
  const declared = new Declared()
  declareAll(declared, file)
  return declared.read(words)
}

/** Commander's way; undefined where it refuses. */
function commander(file: CommandFile, words: readonly string[]): Said | undefined {
  try {
    const parsed = parseByCommander('x', file, words)
    return 'help' in parsed ? undefined : parsed
  } catch (error) {
    if (error instanceof InTotoError) return undefined
    throw error
  }
}

/** All flags of a command with words that they may take, and words that nobody expects. */
function wordsFor(file: CommandFile): string[] {
  const declared = new Declared()
  declareAll(declared, file)
  const flags = declared.options.flatMap(({ long, short }) => [long, ...(short === undefined ? [] : [short])])
  const odd = ['', '-', '--', '-5', '-qv', '-ka', '--unknown', '--no-layout', 'help', '-h', '--help', ...flags.map((flag) => `${flag}=a`)]
  const plain = ['a', 'b', 'text', 'json', 'sarif', 'npm', 'go', 'dsse', 'error', 'ed25519', 'slsa', '7', 'x=y', 'a b', '__proto__']
  return [...flags, ...flags, ...plain, ...plain, ...odd]
}

/** What a command cannot do without. */
function needed(file: CommandFile): string[] {
  const declared = new Declared()
  declareAll(declared, file)
  const flags = declared.options.filter(({ required }) => required).flatMap(({ long }) => [long, 'a'])
  return [
    ...(file.usage
      .match(/^(?:[A-Z]+…? )*/)?.[0]
      .split(' ')
      .filter(Boolean) ?? []),
    ...flags,
  ]
}

describe('the quick reading of a command line', () => {
  it('knows every command', () => {
    expect(commands.length).toBeGreaterThan(25)
  })

  it.each(commands)('says of %s what commander says, or leaves it to that', (_, file) => {
    const words = fc.array(fc.constantFrom(...wordsFor(file)), { maxLength: 7 })
    let answered = 0
    fc.assert(
      fc.property(words, fc.boolean(), (random, isWhole) => {
        const line = isWhole ? [...needed(file), ...random] : random
        const own = read(file, line)
        if (own === undefined) return
        answered++
        expect(own).toEqual(commander(file, line))
      }),
      { numRuns: 400 },
    )
    expect(answered).toBeGreaterThan(5)
  })

  it('answers for lines as people write them, so that commander is not loaded', () => {
    const lines: [string, string[]][] = [
      ['verify.ts', ['dist', '-k', 'in-toto/owner.pub']],
      ['verify.ts', ['-l', 'root.layout', '-k', 'a.pub', 'b.pub', '--link-dir', 'links', '--format', 'sarif', '--output', 'x']],
      ['run.ts', ['-n', 'test', '--signing-key', 'alice', '-m', '.', '-p', 'dist', '--', 'npm', 'test', '--watch=false']],
      ['run.ts', ['-n', 'review', '--signing-key', 'alice', '-m', 'document.pdf', '-x', '-P']],
    ]
    for (const [file, line] of lines) {
      const own = read(named(file), line)
      expect(own, line.join(' ')).toBeDefined()
      expect(own).toEqual(commander(named(file), line))
    }
  })
})
