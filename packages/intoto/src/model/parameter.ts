/**
 * Parameter substitution (specification 4.4): `{NAME}` in rules, expected commands and inspection commands. Called by the verification with
 * the values that its caller gave. Never evaluates anything, never expands a value again, never touches names, keys or sublayouts.
 */
import { emptyRecord } from '../encoding/json.ts'
import { InTotoError } from '../errors.ts'
import type { Layout } from './layout.ts'

/** Parameter name to value. */
export interface Parameters {
  readonly [name: string]: string
}

const nameForm = /^[A-Za-z0-9_-]+$/

/**
 * The layout with every `{NAME}` replaced, in one pass; braces around anything else stay. Without parameters nothing is touched.
 * @throws E_CONFIG for a name of another form, a value that is no string, or a placeholder without value
 */
export function substituteParameters(layout: Layout, parameters: Parameters | undefined): Layout {
  const names = Object.keys(parameters ?? {})
  if (parameters === undefined || names.length === 0) return layout
  for (const name of names) {
    if (!nameForm.test(name)) throw wrong(`parameter ${JSON.stringify(name)}: a name consists of letters, digits, "_" and "-"`)
    if (typeof parameters[name] !== 'string') throw wrong(`parameter ${name}: expected a string`)
  }
  return Object.assign(emptyRecord<unknown>(), layout, {
    steps: layout.steps.map((step, i) => {
      const replaced = replaceIn(step, parameters, `layout.steps[${i}]`)
      replaced.expected_command = replaceAll(step.expected_command, parameters, `layout.steps[${i}].expected_command`)
      return replaced
    }),
    inspect: layout.inspect.map((inspection, i) => {
      const replaced = replaceIn(inspection, parameters, `layout.inspect[${i}]`)
      replaced.run = replaceAll(inspection.run, parameters, `layout.inspect[${i}].run`)
      return replaced
    }),
  })
}

function replaceIn<T extends { expected_materials: string[][]; expected_products: string[][] }>(
  item: T,
  values: Parameters,
  path: string,
): T {
  const copy = Object.assign(emptyRecord<unknown>(), item) as T
  copy.expected_materials = item.expected_materials.map((rule, i) => replaceAll(rule, values, `${path}.expected_materials[${i}]`))
  copy.expected_products = item.expected_products.map((rule, i) => replaceAll(rule, values, `${path}.expected_products[${i}]`))
  return copy
}

function replaceAll(tokens: readonly string[], values: Parameters, path: string): string[] {
  return tokens.map((token) =>
    token.replace(/\{([A-Za-z0-9_-]+)\}/g, (_, name: string) => {
      if (!Object.hasOwn(values, name))
        throw wrong(`${path}: no value for the parameter {${name}}`, `--substitution-parameters ${name}=VALUE`)
      return values[name]!
    }),
  )
}

function wrong(message: string, flag?: string): InTotoError {
  return new InTotoError({ code: 'E_CONFIG', message, fix: `give it as ${flag ?? '--substitution-parameters NAME=VALUE'}` })
}
