/**
 * `npm run bench -- [start] [verify] [run] [build] [NAME OF A BUNDLER…] [--quick] [--write] [--json FILE] [--from FILE] [--compare FILE]`: measures
 * whole processes, ours and the other implementations' in turn, and prints ratios. --write puts them into docs/performance.md, --json keeps them,
 * --from takes them from such a file in place of measuring, --compare shows them beside those of another run. Ratios only: a machine's milliseconds
 * say nothing about another's.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, arch } from 'node:os'
import { argv, version } from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from './build.mjs'
import { bundlers } from './bundlers.mjs'
import { comparison, document } from './document.mjs'
import { workplace } from './material.mjs'
import { haveGo, havePython } from './peers.mjs'
import { run } from './run.mjs'
import { start, verify } from './verify.mjs'

const parts = { start, verify, run, build }
const options = ['json', 'from', 'compare']
const valueOf = (name) => (argv.includes(`--${name}`) ? argv[argv.indexOf(`--${name}`) + 1] : undefined)
const words = argv.slice(2).filter((word, i, all) => !word.startsWith('--') && !options.includes(all[i - 1]?.slice(2)))
const unknown = words.find((word) => !Object.hasOwn(parts, word) && !bundlers.includes(word))
if (unknown !== undefined)
  throw new Error(`bench: there is no part and no bundler "${unknown}": ${[...Object.keys(parts), ...bundlers].join(', ')}`)

const from = valueOf('from')
const result = from === undefined ? await measured() : JSON.parse(readFileSync(from, 'utf8'))
const text = document(result)
console.log(text)
if (argv.includes('--write')) {
  const path = fileURLToPath(new URL('../../docs/performance.md', import.meta.url))
  writeFileSync(path, text)
  spawnSync(fileURLToPath(new URL('../../node_modules/.bin/oxfmt', import.meta.url)), [path])
}
const json = valueOf('json')
if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, null, 1)}\n`)
const earlier = valueOf('compare')
if (earlier !== undefined) console.log(comparison(JSON.parse(readFileSync(earlier, 'utf8')), result))

/** Runs the parts that were asked for, or all. */
async function measured() {
  const folders = []
  const figures = {}
  const began = performance.now()
  const tools = {
    quick: argv.includes('--quick'),
    only: words.some((word) => bundlers.includes(word)) ? words.filter((word) => bundlers.includes(word)) : undefined,
    place: (name) => {
      const folder = workplace(name)
      folders.push(folder)
      return folder
    },
    /** Keeps a ratio and gives it as the cell of a table. */
    record: (key, a, b, digits = 2) => {
      if (a === undefined || b === undefined || b === 0) return '-'
      figures[key] = Number((a / b).toFixed(digits))
      return `${figures[key].toFixed(digits)}x`
    },
    progress: (line) => console.error(`bench ${((performance.now() - began) / 1000).toFixed(0)} s: ${line}`),
  }
  const wanted = Object.keys(parts).filter(
    (name) => words.length === 0 || words.includes(name) || (name === 'build' && tools.only !== undefined),
  )
  const sections = []
  try {
    for (const name of wanted) sections.push(await parts[name](tools))
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  }
  return { commit: commit(), machine: machine(), figures, sections }
}

function commit() {
  return spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout?.trim() ?? ''
}

/** The class of the machine, not its name. */
function machine() {
  const peers = [...(havePython ? ['in-toto 3.1.0 for Python'] : []), ...(haveGo ? ['in-toto-golang 0.11.0'] : [])]
  const others = peers.length === 0 ? 'no other implementation installed' : peers.join(', ')
  return `${availableParallelism()} processors, ${arch()}, ${process.platform}, Node ${version}; ${others}`
}
