/**
 * Text to HTML: the one place where markup is put together. Whatever is interpolated is escaped, unless it is markup that was made here, so that
 * no name, message or key can become a tag. Called by every file that renders; knows no Report.
 */

/** A piece of HTML that was made by `html` and needs no escaping. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** What may stand in a template: text and numbers are escaped, nothing is written for `undefined` and `false`. */
export type Piece = string | number | Markup | undefined | false | readonly Piece[]

const compact = new WeakMap<TemplateStringsArray, readonly string[]>()

/** A template whose gaps are escaped; a gap in an attribute must stand in quotes. A line break of the template is written as one space. */
export function html(strings: TemplateStringsArray, ...pieces: readonly Piece[]): Markup {
  const parts = compact.get(strings) ?? strings.map((part) => part.replace(/\s*\n\s*/g, ' '))
  compact.set(strings, parts)
  return new Markup(parts.reduce((text, part, i) => text + written(pieces[i - 1]) + part))
}

function written(piece: Piece): string {
  if (piece === undefined || piece === false) return ''
  if (piece instanceof Markup) return piece.text
  if (typeof piece === 'object') return piece.map(written).join('')
  return escapeHtml(String(piece))
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Safe between tags and in quoted attributes; control and format characters are spelled out, so that none can turn a line around. */
function escapeHtml(text: string): string {
  return visible(text).replace(/[&<>"']/g, (c) => entities[c] ?? '')
}

/** Text in which every character can be seen. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`)
}

/** JSON that may stand in a script element: no character of it can end the element or open a comment. */
export function scriptJson(value: unknown): Markup {
  const units = (c: string): string =>
    Array.from({ length: c.length }, (_, i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')
  return new Markup(JSON.stringify(value).replace(/[<>&\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, units))
}
