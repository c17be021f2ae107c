/** The little signs beside words: a shape of its own for each state, never colour alone, and never without the word. */
import { html, type Markup } from './html.ts'

/** `idle` is what was not looked at. */
export type Sign = 'ok' | 'fail' | 'warn' | 'idle'

/** A sign that screen readers pass over: the word beside it says the same. */
export function signOf(sign: Sign): Markup {
  return html`<span class="sign ${sign}" aria-hidden="true"></span>`
}
