/** What axe-core has to say about the page that is open: https://github.com/dequelabs/axe-core */
import axe from 'axe-core'
import type { Page } from '../browser/devtools.ts'

/** Violations of all rules, the advisory ones too, in one line each. */
export async function violations(page: Page): Promise<string[]> {
  await page.run(`${axe.source};0`)
  return page.run<string[]>(
    `axe.run(document).then(({ violations }) => violations.map((found) => found.id + ': ' + found.nodes.map((node) => node.target.join(' ')).join(', ')))`,
  )
}
