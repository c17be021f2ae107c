/** Whole builds with and without the plugin, and without against without: what that shows is noise. Called by index.mjs. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { decodeMetadata } from 'intoto'
import { bundlers } from './bundlers.mjs'
import { extensionFor, modulePath, project, tree } from './material.mjs'
import { countsTrees, median, race } from './measure.mjs'

const script = fileURLToPath(new URL('bundlers.mjs', import.meta.url))
const bun = fileURLToPath(new URL('../../node_modules/.bin/bun', import.meta.url))

/**
 * A machine that others use as well slows builds down and never speeds one up: the least of as many builds with the plugin as without says most of
 * what the plugin costs, and what two such sets without it differ by says how much that is worth. The median of the rounds stands beside them.
 * webpack takes a minute and a half for 5,000 modules, many times: it gets 3,000.
 */
export async function build({ place, record, quick, progress, only }) {
  const rows = []
  const folders = new Map()
  const { key } = await tree(place('build'), { files: 1 })
  let added = 0
  for (const name of only ?? bundlers) {
    const modules = quick ? 500 : name === 'webpack' ? 3_000 : 5_000
    const extension = extensionFor(name)
    const kind = `${modules} ${extension}`
    const folder = folders.get(kind) ?? place('build')
    if (!folders.has(kind)) project(folder, modules, extension)
    folders.set(kind, folder)
    const contender = (what, plugin) => ({
      name: what,
      command: [name === 'bun' ? bun : execPath, script, name, folder, `out-${name}-${plugin}`, plugin],
      env: { INTOTO_KEY_FILE: key },
      tree: true,
    })
    const racers = [contender('a', 'off'), contender('on', 'on'), contender('b', 'off')]
    const [a, on, b] = race(racers, { least: quick ? 2 : 6, most: 20, seconds: quick ? 5 : 150 })
    sameBuild(folder, { name, modules, extension })
    const ratio = (figure) => (2 * on[figure].min) / (a[figure].min + b[figure].min)
    const leastMemory = ({ said }) => Math.min(...said.map(Number))
    const megabytes = Math.round(leastMemory(on) - (leastMemory(a) + leastMemory(b)) / 2)
    added = Math.max(added, megabytes)
    rows.push([
      `${name}, ${modules} modules`,
      // Without perf the time of a process that nobody waits for is not known.
      name === 'esbuild' && !countsTrees ? '-' : record(`build.${name}.cpu`, ratio('cpu'), 1, 3),
      record(`build.${name}.wall`, ratio('wall'), 1, 3),
      record(`build.${name}.noise`, Math.max(a.cpu.min, b.cpu.min), Math.min(a.cpu.min, b.cpu.min), 3),
      record(`build.${name}.median`, median(on.samples.map(({ cpu }, i) => (2 * cpu) / (a.samples[i].cpu + b.samples[i].cpu))), 1, 3),
      `${megabytes} MB`,
      String(on.rounds),
    ])
    for (const plugin of ['on', 'off']) rmSync(join(folder, `out-${name}-${plugin}`), { recursive: true, force: true })
    progress(rows.at(-1).join(' '))
  }
  record('build.rss', added, 1)
  return {
    title: 'Build',
    head: [
      'bundler',
      'processor: with / without',
      'wall: with / without',
      'processor: two sets of builds without',
      'processor: with / without, median of rounds',
      'peak memory added',
      'rounds',
    ],
    rows,
  }
}

/** Equal work: the same output but for the link, and in the link every module by its digest. */
function sameBuild(folder, { name, modules, extension }) {
  const [on, off] = ['on', 'off'].map((plugin) => contentOf(join(folder, `out-${name}-${plugin}`)))
  const links = [...on.keys()].filter((file) => file.endsWith('.link'))
  if (links.length !== 1) throw new Error(`${name}: ${links.length} links: the figures are void`)
  const { payload } = decodeMetadata(on.get(links[0]))
  on.delete(links[0])
  for (const [file, bytes] of on)
    if (off.get(file)?.equals(bytes) !== true) throw new Error(`${name}: ${file} differs: the figures are void`)
  if (on.size !== off.size || on.size === 0) throw new Error(`${name}: other files come out with the plugin: the figures are void`)
  for (let i = 0; i < modules; i++) {
    const path = modulePath(i, extension)
    const digest = createHash('sha256')
      .update(readFileSync(join(folder, path)))
      .digest('hex')
    if (payload.materials[path]?.sha256 !== digest) throw new Error(`${name}: the link lacks ${path}: the figures are void`)
  }
  for (const file of on.keys())
    if (!Object.keys(payload.products).some((path) => path.endsWith(file))) throw new Error(`${name}: the link lacks ${file}`)
}

function contentOf(folder) {
  const files = new Map()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile())
      files.set(join(entry.parentPath, entry.name).slice(folder.length + 1), readFileSync(join(entry.parentPath, entry.name)))
  return files
}
