/** Words of a shell, for the commands that `intoto doctor` suggests: names come from files and must stay names, whatever stands in them. */

/** A word as a shell takes it; in double quotes, which every shell knows, where nothing in it means anything there. */
export function word(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text
  return /^[\w@+=:,./ &-]+$/.test(text) ? `"${text}"` : `'${text.replaceAll("'", `'\\''`)}'`
}

/** A path as a command takes it: no option either. */
export function path(name: string): string {
  return word(name.startsWith('-') ? `./${name}` : name)
}
