/**
 * The documents of this repository as data: their links, headings and code blocks, and the command lines in them. Reads Markdown as these documents are
 * written, not all that Markdown can be; judges nothing.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root: string = fileURLToPath(new URL('../../', import.meta.url))

/** A fenced block: its language, the words behind that, its lines. */
export interface Block {
  readonly language: string
  readonly marks: readonly string[]
  readonly text: string
}

/** One Markdown file; `name` is relative to the root of the repository. */
export interface Document {
  readonly name: string
  readonly text: string
  readonly blocks: readonly Block[]
  /** The text without fenced blocks and comments. */
  readonly prose: string
}

const fence = /^```([\w-]*)([^\n]*)\n([\s\S]*?)^```$/gm

export function readDocument(name: string): Document {
  const text = readFileSync(`${root}${name}`, 'utf8')
  const blocks = blocksOf(text)
  return { name, text, blocks, prose: text.replaceAll(fence, '').replaceAll(/<!--[\s\S]*?-->/g, '') }
}

/** What stands below a heading of the second degree, up to the next. */
export function section({ name, text }: Document, heading: string): Block[] {
  const [, part] = new RegExp(`^## ${heading}$([\\s\\S]*?)(?=^## |(?![\\s\\S]))`, 'm').exec(text) ?? []
  if (part === undefined) throw new Error(`${name} has no heading "${heading}"`)
  return blocksOf(part)
}

function blocksOf(text: string): Block[] {
  return Array.from(text.matchAll(fence), ([, language = '', marks = '', lines = '']) => ({
    language,
    marks: marks.split(' ').filter((mark) => mark !== ''),
    text: lines,
  }))
}

function namesBelow(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
}

const packages = readdirSync(`${root}packages`).map((name) => `packages/${name}`)
/** Every document that somebody may read. */
export const documents: readonly Document[] = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...namesBelow('docs'),
  ...packages.flatMap((at) =>
    readdirSync(`${root}${at}`)
      .filter((name) => name === 'README.md')
      .map((name) => `${at}/${name}`),
  ),
  ...namesBelow('integrations'),
  'playground/README.md',
]
  .sort()
  .map(readDocument)

/** Places in a document that a link may name after `#`, as GitHub makes them from headings. */
export function anchors(document: Document): Set<string> {
  const seen = new Set<string>()
  for (const [, heading = ''] of document.prose.matchAll(/^#{1,6} (.+)$/gm)) {
    const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const anchor = words.replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, '').replaceAll(' ', '-')
    let name = anchor
    for (let count = 1; seen.has(name); count++) name = `${anchor}-${count}`
    seen.add(name)
  }
  return seen
}

/** Targets of a document's links. */
export function targets(document: Document): string[] {
  const prose = document.prose.replaceAll(/`[^`]*`/g, '``')
  return Array.from(prose.matchAll(/\]\(\s*<?([^)\s>]+)>?\s*(?:"[^"]*")?\)/g), ([, target = '']) => target)
}

/** Words of one line of shell, up to its comment, by command: `a && B=1 c "d e"` are two commands, and so is `(a && B=1 c "d e")`. */
export function commandsOf(line: string): string[][] {
  const commands: string[][] = [[]]
  for (const [, mark, single, double, plain] of line
    .replace(/^\((.*)\)$/, '$1')
    .matchAll(/(&&|\|\||[;|])|'([^']*)'|"([^"]*)"|((?:[^\s'";|&]|&(?!&))+)/g)) {
    if (mark !== undefined) commands.push([])
    else if (plain?.startsWith('#') === true) break
    else commands.at(-1)?.push(single ?? double ?? plain ?? '')
  }
  return commands.map((words) => words.slice(words.findIndex((word) => !/^[A-Z_]+=/.test(word)))).filter((words) => words.length > 0)
}

/** Lines of shell in a block; a line that ends in `\` goes on. */
export function lines(block: Block): string[] {
  return block.text.replaceAll(/\\\n\s*/g, '').split('\n')
}
