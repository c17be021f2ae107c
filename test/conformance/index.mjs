/**
 * `npm run conformance -- [--cases FOLDER] [--adapter NAME=PROGRAM]… [--json] [--no-vectors]`: makes the cases, puts each before every implementation that is
 * here, prints what they answered side by side and, when all three are here, writes docs/conformance.md. Ends with 1 when ours is wrong anywhere.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { argv, exit } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { adapters, judge } from './adapter.mjs'
import { listCases, makeCases, vectorCases } from './case.mjs'
import { document, table } from './table.mjs'

const options = {
  cases: { type: 'string' },
  adapter: { type: 'string', multiple: true, default: [] },
  only: { type: 'string' },
  json: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  'no-vectors': { type: 'boolean', default: false },
}
const { values } = parseArgs({ args: argv.slice(2), options })
if (values.list) {
  console.log(JSON.stringify(listCases()))
  exit(0)
}

const given = values.adapter.map((text) => {
  const [name, ...rest] = text.split('=')
  return { name, command: rest.join('=').split(' '), present: true }
})
const present = [...adapters, ...given].filter((adapter) => adapter.present)
const cases = [...(await makeCases()), ...(values['no-vectors'] ? [] : vectorCases())].filter(({ name }) =>
  name.startsWith(values.only ?? ''),
)
if (values.cases) for (const one of cases) keep(one, join(resolve(values.cases), one.name))

const results = await tryAll()
if (values.json) console.log(JSON.stringify(results))
else console.log(table(results, present))
const isWhole = adapters.every((adapter) => adapter.present) && given.length === 0 && !values.only && !values['no-vectors']
if (isWhole) writeFileSync(fileURLToPath(new URL('../../docs/conformance.md', import.meta.url)), document(results, versions()))
const known = JSON.parse(readFileSync(new URL('known.json', import.meta.url), 'utf8'))
const failed = results.filter((result) => !isRight(result, 'ours') && !known.includes(result.name))
if (failed.length > 0)
  console.error(`wrong: ${failed.map(({ name, answers }) => `${name} ${answers['ours'].did}: ${answers['ours'].said}`).join('\n')}`)
exit(failed.length > 0 ? 1 : 0)

/** Every case before every adapter, two at a time more than there are processors, since some only wait. */
async function tryAll() {
  // each place is there before the first answer: whoever answers first does not come first
  const places = () => Object.fromEntries(present.map(({ name }) => [name, undefined]))
  const done = cases.map(({ area, name, expected, section, why }) => ({ area, name, expected, section, why, answers: places() }))
  const jobs = cases.flatMap((one, i) => present.map((adapter) => async () => (done[i].answers[adapter.name] = await judge(one, adapter))))
  const worker = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) await job()
  }
  await Promise.all(Array.from({ length: availableParallelism() + 2 }, worker))
  return done
}

function isRight({ expected, answers }, name) {
  return answers[name].did === `${expected}s`
}

/** Writes a case for others, with what it is about. */
function keep({ write, ...about }, folder) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  write(folder)
  writeFileSync(join(folder, 'case.json'), `${JSON.stringify(about, undefined, 2)}\n`)
}

function versions() {
  const text = (path) => readFileSync(new URL(path, import.meta.url), 'utf8')
  return {
    ours: JSON.parse(text('../../packages/intoto/package.json')).version,
    Python: /^in-toto==(\S+)/m.exec(text('../interop/requirements.txt'))[1],
    Go: /in-toto-golang v(\S+)/.exec(text('../interop/go/go.mod'))[1],
  }
}
