/**
 * Scripts of package.json, for `intoto doctor`: does the gate stand where it can still refuse, and does it run at all. Which hook runs when, and which can
 * stop an upload, differs by client; docs/publishing.md says how.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { isPublished } from '../init/recipe.ts'
import { type Finding, finding } from './finding.ts'
import { path, word } from './shell.ts'
import { type Situation, textOf } from './situation.ts'
import { workflows } from './workflow.ts'

/** What a script does with our command. */
interface Use {
  readonly script: string
  readonly verb: string
  /** Its words up to the next command; what stands in quotes begins none. */
  readonly line: string
}

/** Everything that is to be said of the scripts of a package that is published. */
export function checkScripts(s: Situation): Finding[] {
  if (s.project === undefined || !isPublished(s.project.manifest) || !s.isSetUp) return []
  const uses = Object.keys(s.scripts).flatMap((script) => usesOf(s.scripts, script))
  const late = uses.filter(({ script, verb }) => ['publish', 'postpublish'].includes(script) && isGate(verb))
  if (late.length > 0) return late.slice(0, 1).map((use) => tooLate(use, uses, s))
  if (s.isModernYarn) return yarnOnly(uses, s)
  const misplaced = uses.filter(({ script, verb }) => verb === 'postpack' && hooksBefore.includes(script))
  if (misplaced.length > 0) return misplaced.slice(0, 1).map((use) => misplacedHook(use, uses, s))
  return [...early(uses, s), ...skipped(uses), ...absent(uses, s)]
}

const hooksBefore = ['prepack', 'prepare', 'prepublish', 'prepublishOnly']

function isGate(verb: string): boolean {
  return verb === 'verify' || verb === 'postpack'
}

/** Our commands in a script, and in the scripts that it calls. */
export function usesOf(scripts: Readonly<Record<string, string>>, script: string): Use[] {
  const text = expanded(scripts, scripts[script] ?? '', 3)
  return Array.from(text.matchAll(/\b(?:intoto|unplugin-in-toto)\s+([a-z]+)\b(?:"[^"]*"|'[^']*'|[^&|;"'])*/g), ([line, verb = '']) => ({
    script,
    verb,
    line: line.trim(),
  }))
}

/** Letters that the scripts which a script calls may add to it: each can call all others, many times. */
const longestScripts = 16 * 1024

/** A script with those that it calls by name in their places. */
export function expanded(scripts: Readonly<Record<string, string>>, text: string, depth: number): string {
  let room = longestScripts
  const within = (part: string, level: number): string =>
    level === 0
      ? part
      : part.replace(/\b(?:npm|pnpm|yarn|bun)(?:\s+run(?:-script)?)?\s+([\w:.-]+)/g, (whole, name: string) => {
          const called = Object.hasOwn(scripts, name) ? (scripts[name] ?? '') : undefined
          if (called === undefined || called.length > room) return whole
          room -= called.length
          return within(called, level - 1)
        })
  return within(text, depth)
}

function tooLate(use: Use, uses: readonly Use[], s: Situation): Finding {
  const message = `"intoto ${use.verb}" stands in the script "${use.script}", which runs when the package is published already`
  if (s.isModernYarn)
    return finding('gate-too-late', 'package.json', message, publishesByUs(uses, s) ? taken(use, s) : [release(s), taken(use, s)])
  const fix = moved(use, use.verb === 'postpack' ? 'postpack' : 'prepublishOnly', { uses, s })
  return finding('gate-too-late', 'package.json', message, fix)
}

function misplacedHook(use: Use, uses: readonly Use[], s: Situation): Finding {
  const message = `"intoto postpack" stands in the script "${use.script}", when there is no tarball yet`
  return finding('postpack-misplaced', 'package.json', message, moved(use, 'postpack', { uses, s }))
}

function early(uses: readonly Use[], s: Situation): Finding[] {
  const verify = (names: readonly string[]): Use | undefined => uses.find(({ script, verb }) => verb === 'verify' && names.includes(script))
  const installing = s.client === 'yarn' ? undefined : verify(['prepublish'])
  if (installing !== undefined) {
    const message = 'the gate stands in the script "prepublish", which npm runs on every install and not before it publishes'
    return [finding('gate-on-install', 'package.json', message, moved(installing, 'prepublishOnly', { uses, s }))]
  }
  const packing = verify(['prepack', 'prepare'])
  if (packing === undefined) return []
  const message = `the gate stands in the script "${packing.script}", which runs on packing and installing, too, before the step "package" has its link`
  return [finding('gate-too-early', 'package.json', message, moved(packing, 'prepublishOnly', { uses, s }))]
}

/** How one of our commands gets into the script in which it can do its work: the old place is cleared only after the new one has it. */
function moved(use: Use, to: Hook, { uses, s }: { uses: readonly Use[]; s: Situation }): string[] {
  const take = taken(use, s)
  if (uses.some(({ script, verb }) => script === to && verb === use.verb)) return [take]
  const put = added(to, use.line, s)
  return s.scripts[use.script] === use.line ? [`${put} && ${take}`] : [put, take]
}

function taken({ script, line }: Use, { scripts }: Situation): string {
  return scripts[script] === line ? `npm pkg delete scripts.${script}` : `take it out of "${script}"`
}

type Hook = 'prepublishOnly' | 'postpack'

/** What a script does already, it goes on doing: before a gate it may build, behind the hook it may clean up what was packed. */
function added(script: Hook, line: string, { scripts }: Situation): string {
  const old = scripts[script]?.trim() ?? ''
  const both = script === 'postpack' ? [line, old] : [old, line]
  return `npm pkg set ${word(`scripts.${script}=${both.filter((one) => one !== '').join(' && ')}`)}`
}

/** No hook runs where scripts are switched off. */
function skipped(uses: readonly Use[]): Finding[] {
  const hook = uses.find(({ script, verb }) => isGate(verb) && ['prepublishOnly', 'postpack'].includes(script))
  const place = scriptsOff()
  if (hook === undefined || place === undefined) return []
  const message = `switches scripts off (ignore-scripts), so the gate in "${hook.script}" never runs`
  return [finding('gate-skipped', place.file, message, [place.fix, 'or publish with "npx intoto publish", which verifies by itself'])]
}

function scriptsOff(): { file: string; fix: string } | undefined {
  // The line alone is looked for: files of this kind hold tokens.
  const isOff = (text: string | undefined): boolean => /^[ \t]*ignore-scripts[ \t]*(?:=[ \t]*["']?true["']?[ \t]*)?$/m.test(text ?? '')
  if (isOff(textOf('.npmrc'))) return { file: '.npmrc', fix: 'npm config delete ignore-scripts --location=project' }
  const own = process.env['npm_config_userconfig'] ?? process.env['NPM_CONFIG_USERCONFIG'] ?? join(homedir(), '.npmrc')
  if (isOff(textOf(own))) return { file: own, fix: 'npm config delete ignore-scripts --location=user' }
  const name = ['npm_config_ignore_scripts', 'NPM_CONFIG_IGNORE_SCRIPTS'].find((one) => process.env[one] === 'true')
  return name === undefined ? undefined : { file: name, fix: `unset ${name}` }
}

/** A package that is published with nothing in the way, or with half of it. */
function absent(uses: readonly Use[], s: Situation): Finding[] {
  if (publishesByUs(uses, s)) return []
  const owner = ownerOf(s)
  const hook = uses.find(({ script, verb }) => script === 'postpack' && verb === 'postpack')
  if (hook !== undefined && !/\s(?:-k|--verification-keys)\b/.test(hook.line)) {
    const message = '"intoto postpack" without -k signs a link and verifies nothing: what does not follow the layout is published'
    const script = s.scripts['postpack'] ?? ''
    const whole = script.replace(hook.line, () => `${hook.line} -k ${owner}`)
    const fix = whole === script ? `add -k ${owner} to "intoto postpack"` : `npm pkg set ${word(`scripts.postpack=${whole}`)}`
    return [finding('postpack-unverified', 'package.json', message, fix)]
  }
  if (hook !== undefined) return []
  const fix = s.client === 'npm' ? added('postpack', `intoto postpack -k ${owner}`, s) : release(s)
  if (uses.some(({ script, verb }) => verb === 'verify' && hooksBefore.includes(script))) {
    // Other clients give no digest of what they upload; there the early no is all that hooks can do.
    if (s.client !== 'npm') return []
    const message =
      'the gate sees dist before "prepare" and "prepack" may change it: the script "postpack", which sees the tarball, is missing'
    return [finding('postpack-absent', 'package.json', message, fix)]
  }
  const either = s.client === 'npm' ? [fix, `or ${release(s)}`] : fix
  return [finding('gate-absent', 'package.json', 'the package is published, and no script verifies it before', either)]
}

/** `intoto publish` verifies by itself, wherever it stands. */
function publishesByUs(uses: readonly Use[], s: Situation): boolean {
  return uses.some(({ verb }) => verb === 'publish') || workflows(s).some(({ text }) => /\bintoto publish\b/.test(text))
}

function yarnOnly(uses: readonly Use[], s: Situation): Finding[] {
  if (publishesByUs(uses, s)) return []
  const hook = uses.find(({ script, verb }) => isGate(verb) && ['prepublishOnly', 'postpack'].includes(script))
  if (hook !== undefined) {
    const message = `this Yarn runs the script "${hook.script}" ${hook.script === 'postpack' ? 'only after the upload' : 'never'}, so the gate in it stops nothing`
    return [finding('gate-yarn', 'package.json', message, release(s))]
  }
  if (uses.some(({ script, verb }) => verb === 'verify' && ['prepublish', 'prepack'].includes(script))) return []
  return [finding('gate-absent', 'package.json', 'the package is published, and no script verifies it before', release(s))]
}

/** Two commands that publish make no release: one that is there gives way, and only a person knows which part of a script that is. */
function release(s: Situation): string {
  const line = `intoto publish -k ${ownerOf(s)}`
  if (s.scripts['release'] !== undefined) return `write ${line} into the script "release", for what publishes there`
  return `npm pkg set ${word(`scripts.release=${line}`)}`
}

/** The owner's public key, as a word of a script. */
function ownerOf({ publicKeys }: Situation): string {
  const files = publicKeys.map(({ file }) => file)
  return path(files.find((file) => file.endsWith('owner.pub')) ?? files.at(0) ?? 'in-toto/owner.pub')
}
