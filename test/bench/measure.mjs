/**
 * Times whole processes in turn (A B C A B C …) and gives ratios: the machine's speed drifts, so only figures of one interleaved run are compared.
 * Every part of the benchmark measures through here; it judges nothing and knows no command.
 */
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** `bash` counts the processor time of all descendants that were waited for, which Node does not tell of a child. */
const timed = 'TIMEFORMAT="%3R %3U %3S"; time "$@" 2>/dev/null; code=$?; exit $code'

/** Certificates read at each start would be counted as ours (Node 20 reads the file named here before it runs a line). */
const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env

/** Whether `perf` can count a whole tree of processes, those included that nobody waits for (esbuild's). */
export const countsTrees = spawnSync('perf', ['stat', '-e', 'task-clock', 'true']).status === 0

/** One run: seconds of wall clock and of processor time, the exit code, and the last line that it printed. */
export function once({ command: words, cwd, env, tree }) {
  const counted = tree && countsTrees ? join(tmpdir(), `intoto-bench-${process.pid}.txt`) : undefined
  const command = counted === undefined ? words : ['perf', 'stat', '-x', ',', '-e', 'task-clock', '-o', counted, ...words]
  const o = { cwd, env: { ...environment, ...env }, encoding: 'utf8', maxBuffer: 1 << 26 }
  const result = spawnSync('bash', ['-c', timed, 'bash', ...command], o)
  const [wall, user, system] = lastLine(result.stderr).split(' ').map(Number)
  const whole = counted === undefined ? undefined : /^([\d.]+),msec,task-clock/m.exec(readFileSync(counted, 'utf8'))
  const cpu = whole === undefined || whole === null ? user + system : Number(whole[1]) / 1000
  return { wall, cpu, code: result.status, said: lastLine(result.stdout) }
}

function lastLine(text) {
  return text.trim().split('\n').at(-1) ?? ''
}

/** Largest resident size in MB of one process (not of its children), read while it runs. */
export function memory({ command, cwd, env }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { cwd, env: { ...environment, ...env }, stdio: 'ignore' })
    let peak = 0
    const look = () => {
      try {
        const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))
        if (match) peak = Math.max(peak, Number(match[1]) / 1024)
      } catch {
        // ended between two looks
      }
    }
    const timer = setInterval(look, 2)
    child.once('error', reject)
    child.once('exit', (code) => {
      clearInterval(timer)
      resolve({ mb: peak, code })
    })
  })
}

/** Seconds of a round beside which starting cold is nothing. */
const long = 8

/**
 * Runs the contenders in turn and gives each one's samples: one round to warm up, then rounds until `seconds` are gone, at least `least`, at most
 * `most`. A contender whose exit code is not the expected one did other work: its figures are void and it is named.
 */
export function race(contenders, { least = 3, most = 9, seconds = 15 } = {}) {
  const samples = contenders.map(() => [])
  const began = performance.now()
  let isWarm = false
  for (let round = 0; round < least || (round < most && performance.now() - began < seconds * 1000);) {
    contenders.forEach((contender, i) => {
      const sample = once(contender)
      if (sample.code !== (contender.expect ?? 0))
        throw new Error(`${contender.name}: exit code ${sample.code}: ${contender.command.join(' ').slice(0, 300)}`)
      samples[i].push(sample)
    })
    if (isWarm || performance.now() - began > long * 1000) round++
    else for (const list of samples) list.length = 0
    isWarm = true
  }
  return contenders.map(({ name }, i) => {
    const of = (figure) => spread(samples[i].map((sample) => sample[figure]))
    return {
      name,
      wall: of('wall'),
      cpu: of('cpu'),
      said: samples[i].map(({ said }) => said),
      samples: samples[i],
      rounds: samples[i].length,
    }
  })
}

function spread(values) {
  return { min: Math.min(...values), median: median(values) }
}

/** The value in the middle. */
export function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1]
}
