/** The repository URL of package.json, for `intoto doctor`: npm compares it with where the build ran, and refuses provenance that differs. */
import { isPublished } from '../init/recipe.ts'
import { type Finding, finding } from './finding.ts'
import { git } from '../git.ts'
import { word } from './shell.ts'
import type { Situation } from './situation.ts'

/** package.json beside the remotes of git. */
export function checkRepository({ project, repository }: Situation): Finding[] {
  if (project === undefined || repository === undefined || !isPublished(project.manifest)) return []
  // remote.NAME.url URL, with whatever credentials stand in it: only host and path are ever told
  const remotes = (git('config', '--get-regexp', String.raw`^remote\..*\.url$`) ?? '').split('\n').flatMap((line) => {
    const [, name = '', url = ''] = /^remote\.(.*)\.url (.*)$/.exec(line) ?? []
    const place = placeOf(url)
    return place === undefined ? [] : [{ name, place }]
  })
  const first = remotes.find(({ name }) => name === 'origin') ?? remotes[0]
  if (first === undefined) return []
  const { repository: given } = project.manifest
  const isObject = typeof given === 'object' && given !== null
  const url = isObject ? (given as { url?: unknown }).url : given
  const member = isObject ? 'repository.url' : 'repository'
  const fix = `npm pkg set ${word(`${member}=git+https://${first.place}.git`)}`
  if (url === undefined) return [finding('repository-absent', 'package.json', 'names no repository, which npm wants for provenance', fix)]
  const place = typeof url === 'string' ? placeOf(url) : undefined
  if (place !== undefined && remotes.some((remote) => remote.place.toLowerCase() === place.toLowerCase())) return []
  const message = `names the repository ${place ?? 'in a way that was not understood'}, and the remote "${first.name}" is ${first.place}: npm refuses provenance from there`
  return [finding('repository-differs', 'package.json', message, [fix, 'or, if this is a fork, publish from where the package belongs'])]
}

const hosts: Readonly<Record<string, string>> = { github: 'github.com', gitlab: 'gitlab.com', bitbucket: 'bitbucket.org' }

/** "host/owner/name" of a URL or of npm's and git's short forms; undefined for what lies on no host. */
export function placeOf(url: string): string | undefined {
  const short = /^(?:(github|gitlab|bitbucket):)?([\w.-]+\/[\w.-]+?)(?:\.git)?(?:#.*)?$/.exec(url)
  if (short !== null) return `${hosts[short[1] ?? 'github']}/${short[2]}`
  const long = /^(?:git\+)?(?:https?|ssh|git):\/\/(?:[^@/]*@)?([\w.-]+)(?::\d+)?\/(.+?)(?:\.git)?\/?(?:#.*)?$/.exec(url)
  const scp = long === null ? /^(?:[\w.-]+@)?([\w.-]+\.[\w-]+):(?!\/\/)(.+?)(?:\.git)?\/?$/.exec(url) : null
  const [, host, path] = long ?? scp ?? []
  return host === undefined || path === undefined ? undefined : `${host.toLowerCase()}/${path.replace(/^\/+/, '')}`
}
