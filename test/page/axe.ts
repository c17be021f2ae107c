/** What axe-core has to say about the page that is open: https://github.com/dequelabs/axe-core */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from '../browser/devtools.ts'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Violations of all rules, the advisory ones too, in one line each. */
export async function violations(page: Page): Promise<string[]> {
  await page.run(`${source};0`)
  return page.run<string[]>(
    `axe.run(document).then(({ violations }) => violations.map((found) => found.id + ': ' + found.nodes.map((node) => node.target.join(' ')).join(', ')))`,
  )
}
