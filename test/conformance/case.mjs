/** All cases of the kit, those that are made here and the chains of test/vectors. Called by index.mjs. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as content from './content.mjs'
import * as evidence from './evidence.mjs'
import { makePeople, World } from './world.mjs'

const areas = {
  envelopes: evidence.envelopes,
  keys: evidence.keys,
  thresholds: evidence.thresholds,
  links: evidence.links,
  faults: evidence.faults,
  layouts: content.layouts,
  expiry: content.expiries,
  rules: content.ruleCases,
  patterns: content.patterns,
  sublayouts: content.sublayouts,
  inspections: content.inspections,
  parameters: content.substitutions,
  documents: content.documents,
}

/**
 * One case: its name, the verdict that it must get, why, and how its files are written into a folder. `mustNotCreate` are files of the working directory
 * that show that something ran too early.
 * @typedef {{ area: string, name: string, expected: 'accept' | 'refuse', section: string, why: string, mustNotCreate: string[], write(folder: string): void }} Case
 */

/** The names and sentences of the cases that are made here, without making any. */
export function listCases() {
  return Object.entries(areas).flatMap(([area, list]) =>
    list.map(([name, expected, section, why]) => ({ area, name: `${area}/${name}`, expected, section, why })),
  )
}

/** Makes the cases; their keys are new. @returns {Promise<Case[]>} */
export async function makeCases() {
  const people = await makePeople()
  const cases = []
  for (const [area, list] of Object.entries(areas)) {
    for (const [name, expected, section, why, make, mustNotCreate = []] of list) {
      const world = new World(people)
      await make(world)
      cases.push({ area, name: `${area}/${name}`, expected, section, why, mustNotCreate, write: (folder) => world.write(folder) })
    }
  }
  return cases
}

const vectors = fileURLToPath(new URL('../vectors/chains/', import.meta.url))

/** The chains of test/vectors, which were made with the reference tools. @returns {Case[]} */
export function vectorCases() {
  return readdirSync(vectors, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => {
      const from = join(vectors, name)
      const {
        expected,
        description,
        layout,
        layoutKeys,
        argsExtra,
        mustNotCreate = [],
      } = JSON.parse(readFileSync(join(from, 'case.json'), 'utf8'))
      const write = (folder) => {
        for (const each of ['keys', 'work', 'links']) mkdirSync(join(folder, each), { recursive: true })
        cpSync(join(from, layout), join(folder, 'root.layout'))
        layoutKeys.forEach((file, i) => cpSync(join(from, file), join(folder, `keys/${i}.pub`)))
        if (existsSync(join(from, 'links'))) cpSync(join(from, 'links'), join(folder, 'links'), { recursive: true })
        if (existsSync(join(from, 'files'))) cpSync(join(from, 'files'), join(folder, 'work'), { recursive: true })
        const lines = Object.entries(argsExtra.substitute ?? {}).map(([parameter, value]) => `${parameter}=${value}\n`)
        if (lines.length > 0) writeFileSync(join(folder, 'parameters'), lines.join(''))
      }
      const verdict = expected === 'pass' ? 'accept' : 'refuse'
      return { area: 'vectors', name: `vectors/${name}`, expected: verdict, section: '', why: description, mustNotCreate, write }
    })
}
