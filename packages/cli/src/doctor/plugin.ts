/** The plugin in the bundler's configuration, for `intoto doctor`: is it there, once, and last. What the syntax does not tell is not guessed. */
import { isDependency } from '../init/detect.ts'
import { pluginPlaces, pluginWords } from '../init/config.ts'
import { type Finding, finding } from './finding.ts'
import { usesOf } from './script.ts'
import { type Situation, textOf } from './situation.ts'

/** Of each bundler that is configured here. */
export function checkPlugin({ bundlers, project, scripts }: Situation): Finding[] {
  if (project === undefined || !isDependency(project, 'unplugin-in-toto')) return []
  const found = bundlers.flatMap(({ bundler, file }) => {
    const text = textOf(file)
    return text === undefined ? [] : [{ bundler, file, text }]
  })
  const used = found.filter(({ text }) => text.includes('unplugin-in-toto'))
  const [first] = found
  if (first !== undefined && used.length === 0 && !recordsByCommand(scripts)) {
    const words = pluginWords(first.bundler)
    const message = 'does not have the plugin, which is installed: builds leave no link'
    const line = first.bundler.byName
      ? `write 'unplugin-in-toto/${first.bundler.subpath}' into "${first.bundler.member}"`
      : `write "${words.import}", and put ${words.call} last into "${first.bundler.member}"`
    return [finding('plugin-unused', first.file, message, ['npx unplugin-in-toto init', line])]
  }
  return used.flatMap(({ bundler, file, text }) =>
    pluginPlaces(text, bundler, file).flatMap(({ count, behind }) => {
      if (count > 1)
        return [finding('plugin-twice', file, `has the plugin ${count} times in one list: one link is enough`, 'keep the last one')]
      if (behind === undefined || bundler.isFramework === true) return []
      const message = `has ${behind} behind the plugin: what it changes at the end of the build comes after the recording`
      return [finding('plugin-not-last', file, message, `put inToto(…) last into "${bundler.member}"`)]
    }),
  )
}

/** `intoto run -- vite build` needs no plugin. */
function recordsByCommand(scripts: Readonly<Record<string, string>>): boolean {
  return Object.keys(scripts).some((script) => usesOf(scripts, script).some(({ verb }) => verb === 'run' || verb === 'record'))
}
