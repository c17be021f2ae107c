/**
 * `npm run bench -- [start] [verify] [run] [build] [--quick] [--write]`: measures whole processes, ours and the other implementations' in turn, and
 * prints ratios. With `--write` the tables go to docs/performance.md. Ratios only: a machine's milliseconds say nothing about another's.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { argv, execPath, version } from 'node:process'
import { fileURLToPath } from 'node:url'
import { bundlers } from './bundlers.mjs'
import { chain, tree, workplace } from './material.mjs'
import { memory, race, ratio } from './measure.mjs'
import { haveGo, havePython, ours, recorders, verifiers } from './peers.mjs'

const quick = argv.includes('--quick')
const wanted = argv.slice(2).filter((word) => !word.startsWith('--'))
const runs = quick ? 3 : 7
const folders = []
const place = (name) => {
  const folder = workplace(name)
  folders.push(folder)
  return folder
}

const parts = { start, verify, run, build }
const sections = []
try {
  for (const [name, part] of Object.entries(parts)) if (wanted.length === 0 || wanted.includes(name)) sections.push(await part())
} finally {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
}
const text = document(sections)
console.log(text)
if (argv.includes('--write')) writeFileSync(fileURLToPath(new URL('../../docs/performance.md', import.meta.url)), text)

/** Start-up against a bare Node, in processor time. */
async function start() {
  const [node, cli] = race(
    [
      { name: 'node -e 0', command: [execPath, '-e', '0'] },
      { name: 'intoto --version', command: [execPath, ours, '--version'] },
    ],
    { runs: runs * 2 },
  )
  return {
    title: 'Start-up',
    head: ['what', 'processor time, ours / `node -e 0`'],
    rows: [['intoto --version', cell(cli.cpu.median, node.cpu.median)]],
  }
}

/** A chain of three steps over N source files; a tampered and a missing link must be refused, or the figures are void. */
async function verify() {
  const rows = []
  const cases = quick
    ? [
        [10, 1],
        [10_000, 1],
      ]
    : [
        [10, 1],
        [1_000, 1],
        [10_000, 1],
        [10_000, 1_000],
        [100_000, 1],
      ]
  for (const format of ['metablock', 'dsse']) {
    for (const [files, rules] of cases) {
      const made = await chain(place('verify'), { files, rules, format })
      const contenders = verifiers(made)
      const results = race(contenders, { runs: files >= 100_000 ? 3 : runs })
      const peaks = await Promise.all(contenders.map((contender) => memory(contender)))
      refused(made, contenders)
      rows.push([
        `${format}, ${files} files, ${rules} rule${rules === 1 ? '' : 's'}`,
        ...against(results, (r) => r.wall.median),
        ...against(results, (r) => r.cpu.median),
        ...against(
          peaks.map(({ mb }, i) => ({ ...contenders[i], mb })),
          (r) => r.mb,
        ),
      ])
    }
  }
  return {
    title: 'Verify',
    head: ['chain', 'wall: Python / ours', 'Go / ours', 'processor: Python / ours', 'Go / ours', 'peak memory: Python / ours', 'Go / ours'],
    rows,
  }
}

/** Equal work: each must refuse a changed link and a missing one. */
function refused({ build }, contenders) {
  const good = readFileSync(build)
  const bad = Buffer.from(good)
  bad[bad.length >> 1] ^= 1
  writeFileSync(build, bad)
  for (const contender of contenders) race([{ ...contender, expect: 1 }], { runs: 1 })
  rmSync(build)
  for (const contender of contenders) race([{ ...contender, expect: 1 }], { runs: 1 })
  writeFileSync(build, good)
}

/** A tree of files as materials and as products. */
async function run() {
  const rows = []
  const cases = quick ? [{ files: 1_000 }] : [{ files: 1_000 }, { files: 10_000 }, { files: 50_000 }, { files: 10, size: 100_000_000 }]
  for (const sizes of cases) {
    const made = await tree(place('run'), sizes)
    const contenders = recorders(made).map((contender) => ({ ...contender, cwd: made.cwd }))
    const results = race(contenders, { runs: sizes.files > 10_000 || sizes.size ? 3 : runs })
    rows.push([
      sizes.size ? `${sizes.files} files of 100 MB` : `${sizes.files} files of 2 to 8 kB`,
      ...against(results, (r) => r.wall.median),
      ...against(results, (r) => r.cpu.median),
    ])
  }
  return { title: 'Run', head: ['tree', 'wall: Python / ours', 'Go / ours', 'processor: Python / ours', 'Go / ours'], rows }
}

/** Whole builds with and without the plugin, and without against without: what that column shows is noise. */
async function build() {
  const rows = []
  const folder = place('build')
  const modules = quick ? 1_000 : 4_000
  const { key } = await tree(folder, { files: 1 })
  generate(folder, modules)
  const script = fileURLToPath(new URL('bundlers.mjs', import.meta.url))
  for (const name of bundlers) {
    const contender = (plugin) => ({ name: plugin, command: [execPath, script, name, folder, plugin], env: { INTOTO_KEY_FILE: key } })
    const [a, on, b] = race([contender('off'), contender('on'), contender('off')], { runs: quick ? 3 : 5 })
    rows.push([
      name,
      cell(on.cpu.min, Math.min(a.cpu.min, b.cpu.min)),
      cell(on.wall.min, Math.min(a.wall.min, b.wall.min)),
      cell(b.cpu.min, a.cpu.min),
    ])
  }
  return {
    title: `Build of ${modules} modules`,
    head: ['bundler', 'processor: with / without', 'wall: with / without', 'without / without (noise)'],
    rows,
  }
}

function generate(folder, modules) {
  mkdirSync(join(folder, 'src'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'bench', version: '1.0.0', type: 'module' }))
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ name: 'bench', version: '1.0.0', lockfileVersion: 3, packages: {} }))
  const imports = []
  for (let i = 0; i < modules; i++) {
    const lines = Array.from({ length: 20 }, (_, line) => `export function f${i}_${line}(a, b) { return a * ${line} + b - ${i} }`)
    writeFileSync(join(folder, `src/m${i}.js`), `${lines.join('\n')}\nexport default () => f${i}_0(1, 2) + f${i}_19(3, 4)\n`)
    imports.push(`import m${i} from './m${i}.js'`)
  }
  writeFileSync(
    join(folder, 'src/main.js'),
    `${imports.join('\n')}\nconsole.log(${Array.from({ length: modules }, (_, i) => `m${i}()`).join(' + ')})\n`,
  )
}

/** Python's and Go's figures in units of ours. */
function against(results, figure) {
  const own = figure(results.find(({ name }) => name === 'ours'))
  return ['Python', 'Go'].map((name) => {
    const other = results.find((result) => result.name === name)
    return other === undefined ? '-' : cell(figure(other), own)
  })
}

function cell(a, b) {
  return `${ratio(a, b)?.toFixed(2) ?? '-'}x`
}

function document(list) {
  const tables = list.map(({ title, head, rows }) => {
    const line = (cells) => `| ${cells.join(' | ')} |`
    return `## ${title}\n\n${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`
  })
  const peers =
    [havePython ? 'in-toto 3.1.0 (Python)' : '', haveGo ? 'in-toto-golang 0.11.0' : ''].filter(Boolean).join(' and ') ||
    'no other implementation installed'
  return `# Performance\n\nWritten by \`npm run bench -- --write\`: whole processes, in turn, in one run on one machine (${cpus().length} processors, Node ${version}; ${peers}). Figures are ratios of medians, for builds of minima; above 1 the other one took more.\n\n${tables.join('\n')}`
}
