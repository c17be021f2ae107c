/** Words of a shell, for the commands that `intoto doctor` suggests: names come from files and must stay names, whatever stands in them. */

/** A word as a shell takes it. */
export function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** A path as a command takes it: no option either. */
export function path(name: string): string {
  return word(name.startsWith('-') ? `./${name}` : name)
}
