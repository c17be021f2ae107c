/** Versions, for `intoto doctor`: our packages share one, and name each other by it; two of them in one project come from a half-done update. */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ClientName } from 'intoto-npm'
import { upward } from '../init/detect.ts'
import { type Finding, finding } from './finding.ts'
import { word } from './shell.ts'
import { parsedObject, type Situation, textOf } from './situation.ts'

const names = ['unplugin-in-toto', 'intoto-cli', 'intoto-npm', 'intoto']

/** As they are found from here, and from the plugin's own folder. */
export function checkVersions({ client }: Situation): Finding[] {
  const plugin = folderOf('.', 'unplugin-in-toto')
  const from = ['.', ...(plugin === undefined ? [] : [plugin])]
  const folders = new Set(names.flatMap((name) => from.flatMap((start) => folderOf(start, name) ?? [])))
  const found = [...folders].flatMap((folder) => {
    const { name, version } = parsedObject(textOf(join(folder, 'package.json')) ?? '') ?? {}
    return typeof name === 'string' && names.includes(name) && typeof version === 'string' ? [{ name, version }] : []
  })
  if (new Set(found.map(({ version }) => version)).size < 2) return []
  const listed = [...new Set(found.map(({ name, version }) => `${name} ${version}`))]
  const wanted = found.find(({ name }) => name === 'unplugin-in-toto')?.version ?? found[0]?.version ?? ''
  const odd = [...new Set(found.filter(({ version }) => version !== wanted).map(({ name }) => name))]
  const fix = `${adding[client]} ${odd.map((name) => word(`${name}@${wanted}`)).join(' ')}, or take them out of package.json and install again`
  return [finding('versions-differ', 'node_modules', `versions that do not belong together: ${listed.join(', ')}`, fix)]
}

const adding: Readonly<Record<ClientName, string>> = { npm: 'npm i -D', pnpm: 'pnpm add -D', yarn: 'yarn add -D', bun: 'bun add -d' }

/** Real path of the package that a module in this folder would get. */
function folderOf(start: string, name: string): string | undefined {
  const at = upward(start, (folder) => existsSync(join(folder, 'node_modules', name, 'package.json')))
  return at === undefined ? undefined : dirname(realpathSync(join(at, 'node_modules', name, 'package.json')))
}
