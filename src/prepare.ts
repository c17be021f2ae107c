/**
 * What is done as soon as a plugin is made, before other plugins run and before any build begins. Called by every bundler's entry. It knows the commands
 * that load a configuration for nothing but a build: what merely loads one (a dev server, a test runner, an editor) must never hear of us.
 */
import { InTotoError } from 'intoto'
import { resolveOptions, type ResolvedOptions } from './options.ts'
import { commandName, expectCall, listenToReads, namedConfigurations, ownScript, takeKey } from './recorder.ts'

/** Takes the key out of the environment, waits for the bundler's call, and with `audit` begins to listen; nothing when the plugin is disabled. */
export function prepare(options: ResolvedOptions): void {
  if (options.disable) return
  takeKey()
  if (isSurelyBuild()) expectCall({ options, isMade: true, error: notCalled(options) })
  if (options.audit) listenToReads()
}

/** Our code was loaded; a build of Next.js by Turbopack will not even ask for the plugin, since it does not look at `webpack` in the configuration. */
export function expectTurbopack(): void {
  if (commandName() !== 'next' || !isSurelyBuild()) return
  const options = resolveOptions()
  if (!options.disable) expectCall({ options, isMade: false, error: notCalled(options) })
}

/** How to record a build of Next.js all the same. */
export const nextFix: string =
  'record it from outside: npx intoto run -n build -m app public package.json package-lock.json -p .next --exclude .next/cache -- npx next build'

const isBuildWord = ([first]: readonly string[]): boolean => first === 'build'
const hasConfiguration = (words: readonly string[]): boolean => namedConfigurations(words).length > 0

/** Commands that load a configuration for nothing else, with these words. */
const builds: Readonly<Record<string, (words: readonly string[]) => boolean>> = {
  next: (words) => isBuildWord(words) && (process.env['TURBOPACK'] ?? '') !== '',
  vite: isBuildWord,
  rollup: hasConfiguration,
  rolldown: hasConfiguration,
}

function isSurelyBuild(): boolean {
  return ownScript() === undefined && builds[commandName()]?.(process.argv.slice(2)) === true
}

function notCalled({ step }: ResolvedOptions): InTotoError {
  const command = commandName()
  const isNext = command === 'next'
  const fix = [
    `import it from unplugin-in-toto/${command}, and put what inToto() returns into plugins`,
    `or record it from outside: npx intoto run -n ${step} -- COMMAND`,
  ]
  const message = `${step}: no link: ${isNext ? 'Turbopack calls no plugins' : `${command} never called the plugin`}`
  return new InTotoError({ code: 'E_NOT_RECORDED', message, step, fix: isNext ? nextFix : fix })
}
