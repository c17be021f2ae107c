/** Recording of trees of files as materials and as products. Called by index.mjs. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeMetadata } from 'intoto'
import { tree } from './material.mjs'
import { race } from './measure.mjs'
import { recorders } from './peers.mjs'

const cases = [
  { sizes: { files: 1_000 }, key: 'run.1000', what: '1,000 files of 2 to 8 kB' },
  { sizes: { files: 10_000 }, key: 'run.10000', what: '10,000 files of 2 to 8 kB' },
  { sizes: { files: 50_000 }, key: 'run.50000', what: '50,000 files of 2 to 8 kB' },
  { sizes: { files: 10, size: 100_000_000 }, key: 'run.large', what: '10 files of 100 MB' },
]

/** Wall clock and processor time beside the other implementations, and beside C for the largest tree. */
export async function run({ place, record, quick, progress }) {
  const rows = []
  for (const { sizes, key, what } of quick ? cases.slice(0, 1) : cases) {
    const folder = place('run')
    const made = await tree(folder, sizes)
    const inC = key === 'run.50000' ? workload(folder) : undefined
    const contenders = recorders(made)
    const racers = [...contenders, ...(inC === undefined ? [] : [inC])].map((contender) => ({ ...contender, cwd: made.cwd }))
    const results = race(racers, { least: 3, most: 15, seconds: quick ? 5 : 60 })
    sameArtifacts(contenders, sizes.files, results.at(-1))
    const [mine] = results
    const cells = ['wall', 'cpu'].flatMap((figure) =>
      ['Python', 'Go'].map((name) => {
        const other = results.find((result) => result.name === name)
        return record(`${key}.${name.toLowerCase()}.${figure}`, other?.[figure].median, mine[figure].median)
      }),
    )
    const c = results.find(({ name }) => name === 'C')
    rows.push([what, ...cells, inC === undefined ? '' : record(`${key}.c.cpu`, mine.cpu.median, c?.cpu.median)])
    progress(rows.at(-1).join(' '))
  }
  return {
    title: 'Run',
    head: ['tree', 'wall: Python / ours', 'Go / ours', 'processor: Python / ours', 'Go / ours', 'processor: ours / C'],
    rows,
  }
}

/** The same walking and hashing in C on one thread, or a word why not. */
function workload(folder) {
  const program = join(folder, 'workload')
  const source = fileURLToPath(new URL('workload.c', import.meta.url))
  const made = spawnSync('cc', ['-O2', '-o', program, source, '-lcrypto'], { encoding: 'utf8' })
  if (made.status === 0) return { name: 'C', command: [program, 'tree'] }
  console.error(`bench: skipped: the comparison with C, which needs cc and the headers of libcrypto: ${(made.stderr ?? '').split('\n')[0]}`)
  return undefined
}

/** Equal work: every link holds the same names and digests, as many as there are files; C read them too. */
function sameArtifacts(contenders, files, last) {
  const seen = contenders.map(({ name, out }) => {
    const [file] = readdirSync(out)
    const { payload } = decodeMetadata(readFileSync(join(out, file)))
    const lines = ['materials', 'products'].map((side) =>
      Object.keys(payload[side])
        .sort()
        .map((path) => `${payload[side][path].sha256} ${path}`),
    )
    if (lines.some((list) => list.length !== files) || lines[0].join() !== lines[1].join())
      throw new Error(`${name} recorded ${lines.map((list) => list.length).join(' and ')} of ${files} files: the figures are void`)
    return { name, text: lines[0].join('\n'), lines: lines[0] }
  })
  for (const { name, text } of seen) if (text !== seen[0].text) throw new Error(`${name} recorded other artifacts: the figures are void`)
  if (last.name !== 'C') return
  const all = createHash('sha256')
  for (const line of seen[0].lines) all.update(line.slice(0, 64), 'hex')
  if (last.said.at(-1) !== all.digest('hex')) throw new Error('C hashed other files: the figures are void')
}
