/**
 * Layouts with other functionaries: one more key for a step, or one in another's place. Where rules let the link of a step lie among files, as in a
 * bundler's output, they name it by who signed it, so they change with the keys. For `layout renew`, `layout diff` and `key rotate`; it signs nothing.
 */
import { emptyRecord, type JsonValue, type Key, type Layout, linkFileName, sameKey, toLayoutKey } from 'intoto'
import { loadKey } from 'intoto/node'
import { misuse } from './failure.ts'
import { namedOrBare } from './words.ts'

/** The layout with more keys, each a word `STEP=PUB`; one that is listed already keeps its id. */
export async function withFunctionaries(layout: Layout, words: readonly string[]): Promise<Layout> {
  let next = layout
  for (const word of words) {
    const { name, value } = namedOrBare(word)
    const step = next.steps.find((one) => one.name === name)
    if (name === undefined || step === undefined) {
      throw misuse(`--add-functionary expects STEP=PUB, found "${word}"`, `steps: ${layout.steps.map((one) => one.name).join(', ')}`)
    }
    const key = await loadKey(value)
    const keys = copyOf(next.keys)
    const id = Object.keys(keys).find((known) => sameKey(keys[known] as Key, key)) ?? key.keyid
    if (!Object.hasOwn(keys, id)) keys[id] = toLayoutKey(key) as unknown as Key
    const others = step.pubkeys
    const steps = next.steps.map((one) => (one.name === name ? changed(one, { pubkeys: [...new Set([...others, id])] }) : one))
    next = withLinkNames(changed(next, { keys, steps }), (rule) => {
      const link = others.map((other) => linkFileName(name, other)).find((file) => allows(rule, file))
      return link === undefined ? [rule] : [rule, renamed(rule, link, linkFileName(name, id))]
    })
  }
  return next
}

/** The layout in which one key stands wherever another did. */
export function withKey(layout: Layout, old: Key, next: Key): Layout {
  const replaced = Object.keys(layout.keys).filter((id) => sameKey(layout.keys[id] as Key, old))
  const keys = emptyRecord<JsonValue>() as unknown as Layout['keys']
  for (const id of Object.keys(layout.keys)) if (!replaced.includes(id)) keys[id] = layout.keys[id] as Key
  keys[next.keyid] = toLayoutKey(next) as unknown as Key
  const links = layout.steps.flatMap(({ name, pubkeys }) =>
    pubkeys.filter((id) => replaced.includes(id)).map((id) => [linkFileName(name, id), linkFileName(name, next.keyid)] as const),
  )
  const steps = layout.steps.map((step) =>
    changed(step, { pubkeys: [...new Set(step.pubkeys.map((id) => (replaced.includes(id) ? next.keyid : id)))] }),
  )
  return withLinkNames(changed(layout, { keys, steps }), (rule) => {
    const [from, to] = links.find(([file]) => allows(rule, file)) ?? []
    return [from === undefined || to === undefined ? rule : renamed(rule, from, to)]
  })
}

/** Every rule becomes the rules that are given for it; one that stands in its list already comes only once. */
function withLinkNames(layout: Layout, rules: (rule: string[]) => string[][]): Layout {
  const list = (old: readonly string[][]): string[][] => {
    const known = new Set(old.map((rule) => JSON.stringify(rule)))
    const isNew = (rule: string[]): boolean => known.size < known.add(JSON.stringify(rule)).size
    return old.flatMap((rule) => rules(rule).filter((one) => one === rule || isNew(one)))
  }
  const item = <T extends Layout['steps'][number] | Layout['inspect'][number]>(one: T): T =>
    changed(one, { expected_materials: list(one.expected_materials), expected_products: list(one.expected_products) } as Partial<T>)
  return changed(layout, { steps: layout.steps.map(item), inspect: layout.inspect.map(item) })
}

/** Whether a rule lets a file of this name lie somewhere: `ALLOW dist/build.4f3c9a1b.link`. */
function allows([kind = '', pattern = '', ...more]: readonly string[], file: string): boolean {
  return kind.toUpperCase() === 'ALLOW' && more.length === 0 && (pattern === file || pattern.endsWith(`/${file}`))
}

function renamed([kind = '', pattern = '']: readonly string[], from: string, to: string): string[] {
  return [kind, pattern.slice(0, -from.length) + to]
}

/** Objects of metadata have no prototype, and keep having none. */
function changed<T extends object>(one: T, members: Partial<T>): T {
  return Object.assign(Object.create(null), one, members) as T
}

function copyOf(keys: Layout['keys']): Layout['keys'] {
  return Object.assign(emptyRecord<JsonValue>(), keys)
}
