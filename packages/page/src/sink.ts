/** The only place where a string becomes elements. Where the browser knows Trusted Types, the policy of the page lets no other place do that. */
import type { Markup } from './html.ts'

interface Policy {
  createHTML(text: string): string
}

const factory = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: Policy): Policy } }).trustedTypes
const policy: Policy = factory?.createPolicy('intoto', { createHTML: (text) => text }) ?? { createHTML: (text) => text }

/** Shows markup; everything in it that came from outside has been escaped by `html`. */
export function put(place: Element, markup: Markup): void {
  place.innerHTML = policy.createHTML(markup.text)
}
