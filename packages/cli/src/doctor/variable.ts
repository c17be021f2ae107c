/** Variables, for `intoto doctor`: one that is misspelt switches a guard off in silence, wherever it is set. Names are told, values never. */
import { join } from 'node:path'
import { remarkOn } from '../environment.ts'
import { type Finding, finding } from './finding.ts'
import { word } from './shell.ts'
import { type Situation, textOf } from './situation.ts'
import { workflows } from './workflow.ts'

/** The environment, package.json, and the files of CI. */
export function checkVariables(s: Situation): Finding[] {
  const root = s.repository ?? '.'
  const here = Object.keys(process.env)
    .sort()
    .flatMap((name) => unknown(name, name, `unset ${word(name)}`))
  const texts: [string, string][] = [
    ['package.json', Object.values(s.scripts).join('\n')],
    ...workflows(s).map(({ file, text }): [string, string] => [file, text]),
    ['.gitlab-ci.yml', textOf(join(root, '.gitlab-ci.yml')) ?? ''],
    ['in-toto/gitlab-ci.yml', textOf('in-toto/gitlab-ci.yml') ?? ''],
  ]
  return [...here, ...texts.flatMap(([file, text]) => slips(file, text))]
}

function unknown(place: string, name: string, fix: string): Finding[] {
  const remark = remarkOn(name)
  if (remark === undefined) return []
  const message = place === name ? remark.message : `${name} ${remark.message}`
  return [finding('variable-unknown', place, message, remark.meant === undefined ? fix : `write ${remark.meant} for ${name}`)]
}

/** Variables that a text sets. Those that are near one of ours count; a project may have others for itself. */
function slips(file: string, text: string): Finding[] {
  const lines = text.split('\n').filter((line) => !line.trimStart().startsWith('#'))
  const names = Array.from(lines.join('\n').matchAll(/(?<![\w.$])(INTOTO_\w+)(?=["']?\s*[:=])/g), ([, name = '']) => name)
  const near = [...new Set(names)].filter((name) => remarkOn(name)?.meant !== undefined)
  return near.flatMap((name) => unknown(file, name, `take ${name} out`))
}

/** Is the recording switched off here? */
export function checkDisabled(): Finding[] {
  const value = process.env['INTOTO_DISABLE']?.toLowerCase()
  if (value === undefined || ['', '0', 'false', 'no', 'off'].includes(value)) return []
  return [finding('plugin-disabled', 'INTOTO_DISABLE', 'is set here: builds record nothing', 'unset INTOTO_DISABLE')]
}
