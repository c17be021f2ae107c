/**
 * Order by code point, which is the order of the UTF-8 bytes: what canonical JSON and Python's sorted output use. Called by both writers.
 * Never by UTF-16 unit, as `Array.sort` does: that puts U+1F600 before U+FF5E.
 */

/** Surrogates stand above all other units in code point order. */
function rank(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit
}

/** Negative, zero or positive, as `Array.sort` wants it. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = rank(a.charCodeAt(i)) - rank(b.charCodeAt(i))
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** Are these names in that order, for certain? */
export function isSorted(names: readonly string[]): boolean {
  for (let i = 1; i < names.length; i++) if (names[i - 1]! >= names[i]!) return false
  return !/[\ud800-\uffff]/.test(names.join('/'))
}

/** Of so many names on the engine's own functions are faster, which need not be compiled. */
const many = 64

/** Sorts in place by code point; costs one pass when the names are in order already, as files made by a tool are. */
export function sortNames(names: string[]): string[] {
  if (names.length > many) return /[\ud800-\uffff]/.test(names.join('/')) ? names.sort(compareCodePoints) : names.sort()
  let high = false
  let ascending = true
  for (let i = 0; i < names.length; i++) {
    if (/[\ud800-\uffff]/.test(names[i]!)) high = true
    if (i > 0 && names[i - 1]! > names[i]!) ascending = false
  }
  if (high) return names.sort(compareCodePoints)
  return ascending ? names : names.sort()
}
