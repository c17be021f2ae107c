/** Start-up, and verification of chains of three steps over N source files. Called by index.mjs. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { execPath } from 'node:process'
import { chain } from './material.mjs'
import { memory, once, race } from './measure.mjs'
import { ours, verifiers } from './peers.mjs'

/** Start-up against a bare Node, in processor time: of the command alone, and of a whole verdict. */
export async function start({ place, record }) {
  const made = await chain(place('start'), { files: 10 })
  const [own] = verifiers(made)
  const [node, version, verdict] = race(
    [
      { name: 'node -e 0', command: [execPath, '-e', '0'] },
      { name: 'intoto --version', command: [execPath, ours, '--version'] },
      { name: 'intoto verify', command: own.command },
    ],
    { least: 15, most: 25, seconds: 10 },
  )
  const rows = [
    ['`intoto --version`', record('start.version.cpu', version.cpu.median, node.cpu.median)],
    ['`intoto verify`, three links of 10 files', record('start.verify.cpu', verdict.cpu.median, node.cpu.median)],
  ]
  return { title: 'Start-up', head: ['what', 'processor: ours / `node -e 0`'], rows }
}

/** Files, rules before the last one of a step, format, and the beginning of the keys under which figures are kept. */
const cases = [
  [10, 1, 'metablock', 'verify.10'],
  [1_000, 1, 'metablock', 'verify.1000'],
  [10_000, 1, 'metablock', 'verify.10000'],
  [10_000, 1_000, 'metablock', 'verify.rules'],
  [100_000, 1, 'metablock', 'verify.100000'],
  [10, 1, 'dsse', 'verify.10.dsse'],
  [10_000, 1, 'dsse', 'verify.10000.dsse'],
  [100_000, 1, 'dsse', 'verify.100000.dsse'],
]

/** Wall clock, processor time and memory beside the other implementations. */
export async function verify({ place, record, quick, progress }) {
  const rows = []
  const own = new Map()
  for (const [files, rules, format, key] of cases.filter(([n, rule]) => !quick || (n <= 10_000 && rule === 1))) {
    const made = await chain(place('verify'), { files, rules, format })
    const contenders = verifiers(made)
    const results = race(contenders, { least: files * rules > 10_000 ? 2 : 3, most: files < 1_000 ? 40 : 7, seconds: quick ? 5 : 16 })
    const peaks = await Promise.all(files < 100_000 ? [] : contenders.map((contender) => memory(contender)))
    refused(made, contenders)
    const [mine] = results
    own.set(key, mine.cpu.median)
    const cells = ['wall', 'cpu'].flatMap((figure) =>
      ['Python', 'Go'].map((name) => {
        const other = results.find((result) => result.name === name)
        return record(`${key}.${name.toLowerCase()}.${figure}`, other?.[figure].median, mine[figure].median)
      }),
    )
    const memories = ['Python', 'Go'].map((name) => {
      const other = contenders.findIndex((contender) => contender.name === name)
      return record(`${key}.${name.toLowerCase()}.rss`, peaks[other]?.mb, peaks[0]?.mb)
    })
    rows.push([
      `${format === 'dsse' ? 'DSSE' : 'Metablock'}, ${files} files, ${rules} rule${rules === 1 ? '' : 's'}`,
      ...cells,
      ...memories,
    ])
    progress(rows.at(-1).join(' '))
  }
  const growth = ['verify', 'verify.dsse'].map((key) => {
    const end = key.slice('verify'.length)
    return record(`${key}.growth`, own.get(`verify.100000${end}`), own.get(`verify.10000${end}`))
  })
  rows.push(['processor, 100,000 / 10,000 files, ours: Metablock, DSSE', ...growth, '', '', '', ''])
  return {
    title: 'Verify',
    head: ['chain', 'wall: Python / ours', 'Go / ours', 'processor: Python / ours', 'Go / ours', 'peak memory: Python / ours', 'Go / ours'],
    rows,
  }
}

/** Equal work: each must refuse a changed link and a missing one, and take the good one again. */
function refused({ build }, contenders) {
  const good = readFileSync(build)
  const bad = Buffer.from(good)
  bad[bad.length >> 1] ^= 1
  const demand = (isGood, what) => {
    for (const contender of contenders)
      if ((once(contender).code === 0) !== isGood)
        throw new Error(`${contender.name} ${isGood ? 'refuses' : 'accepts'} ${what}: the figures are void`)
  }
  writeFileSync(build, bad)
  demand(false, 'a changed link')
  rmSync(build)
  demand(false, 'a missing link')
  writeFileSync(build, good)
  if (good.length < 1 << 20) demand(true, 'the good link')
}
