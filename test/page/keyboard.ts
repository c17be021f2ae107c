/** What somebody who has only a keyboard finds on the page that is open. */
import { expect } from 'vitest'
import type { Page } from '../browser/devtools.ts'

/** Each control in turn by Tab, in the order of the document, with a mark that can be seen; none twice, none left out. */
export async function expectReached(page: Page): Promise<void> {
  const controls = await page.run<number>(`(() => {
    const all = [...document.querySelectorAll('a[href], button, input, textarea, select, summary')]
    window.controls = all.filter((one) => !one.disabled && one.tabIndex >= 0 && one.checkVisibility())
    const start = document.createElement('div')
    start.tabIndex = -1
    document.body.prepend(start)
    start.focus()
    start.remove()
    return controls.length
  })()`)
  expect(controls).toBeGreaterThan(3)
  const reached: unknown[] = []
  for (let i = 0; i < controls; i++) {
    await page.press('Tab')
    reached.push(
      await page.run(`(() => {
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement)
        return [controls.indexOf(document.activeElement), outlineStyle !== 'none' && outlineWidth !== '0px']
      })()`),
    )
  }
  expect(reached).toEqual(Array.from({ length: controls }, (_, i) => [i, true]))
}
