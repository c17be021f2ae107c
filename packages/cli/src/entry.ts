/**
 * Where the command begins: answers --version, and loads all else in one file, of which V8's work is kept. It is small, since it is compiled at each
 * start.
 */
import { writeSync } from 'node:fs'
import { keepCompiled } from './compiled.ts'
import { commandNames } from './names.ts'
import { versionLine } from './version.ts'

/** Whether the version was asked for and could be written; what is in the way of that, main.ts says. */
function saidVersion(): boolean {
  if (process.argv[2] !== '--version') return false
  try {
    return writeSync(1, versionLine) === versionLine.length
  } catch {
    return false
  }
}

if (!saidVersion()) {
  const [first = '', second = ''] = process.argv.slice(2)
  const name = commandNames.find((known) => known === first || known === `${first} ${second}`)
  // chunks.mjs puts what a verdict needs into a file of this name.
  if (name !== undefined) keepCompiled(name, (path) => /^(?:judge|recording|step)-/.test(path))
  void import('./main.ts')
}
