/**
 * Adds our plugin to a bundler's configuration, or says where it stands in one: the syntax tree tells where, and the text is changed there and nowhere
 * else. It evaluates nothing; what it can't understand it leaves to the person, with the lines to write.
 */
import { parse } from '@babel/parser'
import { InTotoError } from 'intoto'
import type { Bundler } from './bundler.ts'

/** A node of the tree, as far as it is looked at. */
interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [member: string]: unknown
}

/** A text that is put in at a place. */
interface Insertion {
  readonly at: number
  readonly text: string
}

/** How a configuration names our plugin. */
export function pluginWords({ subpath }: Pick<Bundler, 'subpath'>): { import: string; call: string } {
  return { import: `import inToto from 'unplugin-in-toto/${subpath}'`, call: 'inToto()' }
}

/**
 * The configuration with our plugin last in its list; the text itself when it has it already.
 * @throws InTotoError E_CONFIG when the configuration can't be found in the text
 */
export function withPlugin(text: string, bundler: Bundler, file: string): string {
  if (text.includes('unplugin-in-toto')) return text
  const program = programOf(text, bundler, file)
  const configs = configurations(program, bundler)
  if (configs.length === 0) throw byHand(bundler, file, 'its configuration was not understood')
  const call = bundler.byName ? `'unplugin-in-toto/${bundler.subpath}'` : 'inToto()'
  const insertions = configs.flatMap((config) => intoList(text, config, { member: bundler.member, call }))
  if (!bundler.byName) insertions.push(importLine(text, program, bundler))
  const lineEnd = text.includes('\r\n') ? '\r\n' : '\n'
  const changed = insertions
    .toSorted((a, b) => b.at - a.at)
    .reduce((now, { at, text: added }) => now.slice(0, at) + added.replaceAll('\n', lineEnd) + now.slice(at), text)
  programOf(changed, bundler, file)
  return changed
}

/** Our plugin in one list of a configuration. */
export interface PluginPlace {
  readonly count: number
  /** What stands behind the last of them, as a person would name it. */
  readonly behind?: string
}

/** Where our plugin stands in each list that is written out and has it; nothing where the text is not understood. */
export function pluginPlaces(text: string, bundler: Bundler, file: string): PluginPlace[] {
  let program: Node
  try {
    program = programOf(text, bundler, file)
  } catch {
    return []
  }
  const names = [
    ...text.matchAll(/\bimport\s+([\w$]+)\s+from\s*['"]unplugin-in-toto\b|\b([\w$]+)\s*=\s*require\(\s*['"]unplugin-in-toto\b/g),
  ]
  const ours = new Set(names.map(([, imported, required]) => imported ?? required))
  return configurations(program, bundler).flatMap((config) => {
    const list = memberOf(config, bundler.member)?.['value'] as Node | undefined
    if (list?.type !== 'ArrayExpression') return []
    const elements = (list['elements'] as (Node | null)[]).filter((element) => element !== null)
    const places = elements.flatMap((element, index) => (isPlugin(element, ours) ? [index] : []))
    const last = elements[(places.at(-1) ?? elements.length) + 1]
    if (places.length === 0) return []
    return [
      {
        count: places.length,
        ...(last === undefined ? {} : { behind: /^[\w$.]*/.exec(text.slice(last.start, last.end))?.[0] || 'another one' }),
      },
    ]
  })
}

/** A call of what was imported from us, or our module by its name, with options or without. */
function isPlugin(element: Node, ours: ReadonlySet<string | undefined>): boolean {
  if (element.type === 'StringLiteral') return String(element['value']).startsWith('unplugin-in-toto')
  if (element.type === 'ArrayExpression') {
    const first = (element['elements'] as (Node | null)[])[0]
    return first?.type === 'StringLiteral' && isPlugin(first, ours)
  }
  if (element.type !== 'CallExpression' && element.type !== 'NewExpression') return false
  const callee = element['callee'] as Node
  return ours.has(nameOf(callee.type === 'MemberExpression' ? (callee['object'] as Node) : callee))
}

function programOf(text: string, bundler: Bundler, file: string): Node {
  try {
    const language = /\.[cm]?ts$/.test(file) ? 'typescript' : 'jsx'
    return parse(text, { sourceType: 'unambiguous', plugins: [language] }).program as unknown as Node
  } catch (cause) {
    throw byHand(bundler, file, 'it was not understood', cause)
  }
}

function byHand(bundler: Bundler, file: string, why: string, cause?: unknown): InTotoError {
  const words = pluginWords(bundler)
  const fix = bundler.byName
    ? `write 'unplugin-in-toto/${bundler.subpath}' into "${bundler.member}" and run init again`
    : `write "${words.import}", put ${words.call} last into "${bundler.member}", and run init again`
  return new InTotoError({ code: 'E_CONFIG', file, message: `${file}: the plugin can't be added: ${why}`, fix }, { cause })
}

/** The objects that are configurations: what the module exports, or what is given to the bundler's functions. */
function configurations(program: Node, bundler: Bundler): Node[] {
  const body = program['body'] as Node[]
  if (bundler.calls !== undefined)
    return callsIn(program, bundler.calls).flatMap((call) => objects((call['arguments'] as Node[])[0], body, 0))
  const exported = body.find(({ type }) => type === 'ExportDefaultDeclaration')?.['declaration'] as Node | undefined
  return objects(exported ?? assigned(body), body, 0)
}

/** The value of `module.exports = …`. */
function assigned(body: readonly Node[]): Node | undefined {
  for (const { type, expression } of body) {
    const node = expression as Node | undefined
    if (type !== 'ExpressionStatement' || node?.type !== 'AssignmentExpression') continue
    const left = node['left'] as Node
    const isExports =
      left.type === 'MemberExpression' && nameOf(left['object'] as Node) === 'module' && nameOf(left['property'] as Node) === 'exports'
    if (isExports) return node['right'] as Node
  }
  return undefined
}

function nameOf(node: Node): string | undefined {
  return node.type === 'Identifier' ? (node['name'] as string) : undefined
}

/** Follows what stands for an object: helper calls, functions, variables, types, lists. */
function objects(node: Node | undefined, body: readonly Node[], depth: number): Node[] {
  if (node === undefined || node === null || depth > 8) return []
  const follow = (next: unknown): Node[] => objects(next as Node | undefined, body, depth + 1)
  switch (node.type) {
    case 'ObjectExpression':
      return [node]
    case 'CallExpression':
      return follow((node['arguments'] as Node[])[0])
    case 'TSAsExpression':
    case 'TSSatisfiesExpression':
    case 'ParenthesizedExpression':
      return follow(node['expression'])
    case 'AwaitExpression':
      return follow(node['argument'])
    case 'ArrayExpression':
      return (node['elements'] as Node[]).flatMap(follow)
    case 'Identifier':
      return follow(variable(node['name'] as string, body))
    case 'ArrowFunctionExpression':
    case 'FunctionExpression':
    case 'FunctionDeclaration':
      return (node['body'] as Node).type === 'BlockStatement' ? returned(node['body'] as Node).flatMap(follow) : follow(node['body'])
    default:
      return []
  }
}

function variable(name: string, body: readonly Node[]): Node | undefined {
  for (const statement of body) {
    if (statement.type === 'FunctionDeclaration' && nameOf(statement['id'] as Node) === name) return statement
    if (statement.type !== 'VariableDeclaration') continue
    const found = (statement['declarations'] as Node[]).find((declarator) => nameOf(declarator['id'] as Node) === name)
    if (found !== undefined) return found['init'] as Node
  }
  return undefined
}

/** What the function itself returns, not functions in it. */
function returned(block: Node): Node[] {
  return [...within(block, (node) => !/Function/.test(node.type))]
    .filter(({ type }) => type === 'ReturnStatement')
    .map((node) => node['argument'] as Node)
}

function callsIn(program: Node, names: readonly string[]): Node[] {
  return [...within(program, () => true)].filter((node) => {
    if (node.type !== 'CallExpression') return false
    const callee = node['callee'] as Node
    const name = nameOf(callee.type === 'MemberExpression' ? (callee['property'] as Node) : callee)
    return name !== undefined && names.includes(name)
  })
}

/** All nodes below one, in the order of the text. */
function* within(node: Node, enter: (node: Node) => boolean): Generator<Node> {
  for (const value of Object.values(node)) {
    for (const child of (Array.isArray(value) ? value : [value]) as unknown[]) {
      if (typeof child !== 'object' || child === null || typeof (child as Node).type !== 'string') continue
      yield child as Node
      if (enter(child as Node)) yield* within(child as Node, enter)
    }
  }
}

/** The property of an object that has this name. */
function memberOf(config: Node, name: string): Node | undefined {
  return (config['properties'] as Node[]).find((one) => {
    const key = one['key'] as Node | undefined
    return key !== undefined && (key['name'] ?? key['value']) === name
  })
}

/** One more element of a list that is a member of an object. */
function intoList(text: string, config: Node, o: { member: string; call: string }): Insertion[] {
  const properties = config['properties'] as Node[]
  const property = memberOf(config, o.member)
  if (property === undefined) {
    const last = properties.at(-1)
    const added = `${o.member}: [${o.call}]`
    return [last === undefined ? { at: config.start + 1, text: ` ${added} ` } : behind(text, config, last, added)]
  }
  const value = property['value'] as Node | undefined
  if (value?.type === 'ArrayExpression') {
    const last = (value['elements'] as (Node | null)[]).at(-1)
    return [last ? behind(text, value, last, o.call) : { at: value.start + 1, text: o.call }]
  }
  if (property['shorthand'] === true) return [{ at: property.end, text: `: [...${o.member}, ${o.call}]` }]
  if (value === undefined || property.type !== 'ObjectProperty') return []
  const inner = value.type === 'ConditionalExpression' || value.type === 'LogicalExpression' ? ['(', ')'] : ['', '']
  return [
    { at: value.start, text: `[...${inner[0]}` },
    { at: value.end, text: `${inner[1]}, ${o.call}]` },
  ]
}

/** Behind the last part of a list, on a line of its own where the last one has one. */
function behind(text: string, list: Node, last: Node, added: string): Insertion {
  const lines = text.slice(list.start, last.start)
  const indent = /\n([ \t]*)$/.exec(lines)?.[1]
  return { at: last.end, text: indent === undefined ? `, ${added}` : `,\n${indent}${added}` }
}

/** Behind the last import, in the spelling of the file. */
function importLine(text: string, program: Node, bundler: Bundler): Insertion {
  const body = program['body'] as Node[]
  const imports = body.filter(({ type }) => type === 'ImportDeclaration')
  const requires = body.filter((node) => node.type === 'VariableDeclaration' && /\brequire\(/.test(text.slice(node.start, node.end)))
  const isModule = imports.length > 0 || body.some(({ type }) => type === 'ExportDefaultDeclaration')
  const last = (isModule ? imports : requires).at(-1)
  const sample = last === undefined ? '' : text.slice(last.start, last.end)
  const line = isModule ? pluginWords(bundler).import : `const inToto = require('unplugin-in-toto/${bundler.subpath}').default`
  const quoted = sample.includes('"') ? line.replaceAll("'", '"') : line
  const whole = sample.endsWith(';') ? `${quoted};` : quoted
  if (last !== undefined) return { at: last.end, text: `\n${whole}` }
  const first = (program['directives'] as Node[] | undefined)?.at(-1)?.end ?? /^#!.*\r?\n/.exec(text)?.[0].length ?? 0
  return {
    at: first,
    text: first > 0 && text[first - 1] !== '\n' ? `\n${whole}\n` : `${whole}\n${/^\r?\n/.test(text.slice(first)) ? '' : '\n'}`,
  }
}
