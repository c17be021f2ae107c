/**
 * Does what a document shows, in its order: lines of `sh` blocks go through one shell, whose folder and variables last to the end of the document, and blocks
 * that name a file become that file. Lines of comment below a command are what it prints, but for numbers and key ids. Called by the tests of documents;
 * it knows nothing of projects.
 *
 * Words behind the language of a block: `refused`, its last command ends with 1 and no other; `not-run`, it is for other machines; for other languages
 * the path of a file, which `package.json` is merged into and every other one becomes.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { endOf } from '../cli/command.ts'
import { type Block, lines } from './document.ts'

export interface Place {
  /** Where the document begins. */
  readonly root: string
  /** A folder for what the shell leaves between two blocks. */
  readonly aside: string
  readonly env: NodeJS.ProcessEnv
}

/** What went otherwise than the document says; undefined where nothing did. */
export async function follow(blocks: readonly Block[], place: Place): Promise<string | undefined> {
  mkdirSync(place.aside, { recursive: true })
  const state = join(place.aside, 'state.sh')
  writeFileSync(state, `cd '${place.root}'\n`)
  for (const block of blocks) {
    const fault = block.language === 'sh' ? await typedIn(block, state, place.env) : written(block, state, place)
    if (fault !== undefined) return fault
  }
  return undefined
}

interface Line {
  readonly command: string
  readonly prints: readonly string[]
}

/** Commands of a block, each with what it is said to print. */
export function commandLines(block: Block): Line[] {
  const found: { command: string; prints: string[] }[] = []
  for (const line of lines(block)) {
    if (line.startsWith('#')) found.at(-1)?.prints.push(line.replace(/^# ?/, ''))
    else if (line.trim() !== '') found.push({ command: line, prints: [] })
  }
  return found
}

async function typedIn(block: Block, state: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (block.marks.includes('not-run')) return undefined
  const all = commandLines(block)
  for (const [place, { command, prints }] of all.entries()) {
    const keep = `{ declare -px; echo "cd '$PWD'"; } > '${state}'`
    const unattended = command.replaceAll(/unplugin-in-toto init\b(?! --)/g, '$& --yes') // the questions are asked in test/slow
    const child = spawn('bash', ['-c', `. '${state}'\n${unattended}\ncode=$?\n${keep}\nexit $code`], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const { code, out, err } = await endOf(child)
    const wanted = block.marks.includes('refused') && place === all.length - 1 ? 1 : 0
    if (code !== wanted) return `${command}\nended with ${code}, not ${wanted}\n${out}${err}`
    const absent = prints.find((text) => !saysSo(text).test(out + err))
    if (absent !== undefined) return `${command}\ndid not print\n${absent}\nbut\n${out}${err}`
  }
  return undefined
}

/** A line of output, whatever its numbers, hashes and spaces. */
function saysSo(text: string): RegExp {
  const parts = text.trim().split(/(\d{4}-\d\d-\d\d|\b[0-9a-f]{8}\b|(?<=-)[\w-]{8}(?=\.(?:js|css)\b)|\d+|\s+|…)/)
  const known = parts.map((part, index) => {
    if (index % 2 === 0) return part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
    if (/^\s/.test(part)) return String.raw`\s+`
    if (part === '…') return '.*'
    return /^\d+$/.test(part) && part.length !== 8 ? String.raw`\d+` : String.raw`[\w-]+`
  })
  return new RegExp(`^\\s*${known.join('')}`, 'm')
}

function written(block: Block, state: string, { root }: Place): string | undefined {
  const [name] = block.marks
  if (name === undefined) return undefined
  const at = /^cd '(.*)'$/m.exec(readFileSync(state, 'utf8'))?.[1] ?? root
  const path = join(at, name)
  mkdirSync(dirname(path), { recursive: true })
  if (!name.endsWith('package.json') || !existsSync(path)) writeFileSync(path, block.text)
  else writeFileSync(path, `${JSON.stringify(merged(JSON.parse(readFileSync(path, 'utf8')), JSON.parse(block.text)), null, 2)}\n`)
  return undefined
}

/** Members of both; those of the second win, and objects in both are merged. */
function merged(a: unknown, b: unknown): unknown {
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isObject(a) || !isObject(b)) return b
  return { ...a, ...Object.fromEntries(Object.entries(b).map(([name, value]) => [name, name in a ? merged(a[name], value) : value])) }
}
