/**
 * Runs the demo's commands the way a person would type them and prints what a person would look at. Called by demo.mjs; whatever ends otherwise
 * than expected is printed whole and ends the demo.
 */
import { spawnSync } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { stripVTControlCharacters, styleText } from 'node:util'

const colours = process.stdout.isTTY && !process.env.NO_COLOR
const paint = (format, text) => (colours ? styleText(format, text) : text)

/** What a chain must not depend on: our own variables, and those of the npm that started the demo. */
const foreign = /^(INTOTO_|npm_|INIT_CWD$|CI$|GITHUB_|NODE_ENV$)/i

/** A heading with one sentence under it. */
export function chapter(title, text) {
  console.log(`\n${paint('bold', title)}\n${paint('dim', text)}`)
}

/** A line that was typed, or might have been. */
export function note(line) {
  console.log(`  ${paint('cyan', '$')} ${line}`)
}

export function done(text) {
  console.log(`\n${paint('green', text)}`)
}

/** Ends the demo: a verdict was not the expected one. */
export function fail(reason, { text = '' } = {}) {
  console.error(`\n${paint('red', `The demo failed: ${reason}`)}\n${text}`)
  process.exit(1)
}

/** Lines of a text without colours. */
export function lines(text) {
  return stripVTControlCharacters(text).split('\n')
}

/** A command as one would type it; a long one is broken before its flags. */
function typed(command) {
  const words = command.map((word) => (/\s/.test(word) ? `'${word}'` : word))
  const line = words.join(' ')
  return line.length < 110 ? line : words.map((word) => (word.startsWith('--') ? `\\\n      ${word}` : word)).join(' ')
}

/**
 * Runs a command with the project's own bins in front. `show`: which lines of its output are printed; null prints not even the command.
 * Answers with its exit code and all it printed; a code other than 0 ends the demo unless `anyStatus`.
 */
export function run(cwd, command, { env = {}, show = /^/, anyStatus = false } = {}) {
  if (show !== null) note(typed(command))
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)))
  const path = [join(cwd, 'node_modules/.bin'), join(cwd, '../app/node_modules/.bin'), process.env.PATH].join(delimiter)
  const { status, stdout, stderr, error } = spawnSync(command[0], command.slice(1), {
    cwd,
    env: { ...inherited, ...(colours && { FORCE_COLOR: '1' }), ...env, PATH: path },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  })
  const text = `${stderr ?? ''}${stdout ?? ''}`
  if (error !== undefined || (status !== 0 && !anyStatus)) fail(`"${typed(command)}" ended with ${error?.message ?? status}`, { text })
  if (show !== null)
    for (const line of text.trimEnd().split('\n')) if (show.test(stripVTControlCharacters(line))) console.log(`    ${line}`.trimEnd())
  return { status, text: stripVTControlCharacters(text) }
}
