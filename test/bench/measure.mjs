/**
 * Times whole processes in turn (A B A B …) and gives ratios: the machine's speed drifts, so only figures of one interleaved run are compared.
 * Every part of the benchmark measures through here; it judges nothing and knows no command.
 */
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** `bash` counts the processor time of all descendants that were waited for, which Node does not tell of a child. */
const timed = 'TIMEFORMAT="%3R %3U %3S"; time "$@" >/dev/null 2>&1; code=$?; exit $code'

/** Certificates read at each start would be counted as ours (Node 20 reads the file named here before it runs a line). */
const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env

/** One run: seconds of wall clock and of processor time, and the exit code. */
export function once({ command, cwd, env }) {
  const result = spawnSync('bash', ['-c', timed, 'bash', ...command], { cwd, env: { ...environment, ...env }, encoding: 'utf8' })
  const line = result.stderr.trim().split('\n').at(-1) ?? ''
  const [wall, user, system] = line.split(' ').map(Number)
  return { wall, cpu: user + system, code: result.status }
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

/**
 * Runs the contenders in turn, `runs` times after one warm-up, and gives each one's median and minimum. A contender whose exit code is not the
 * expected one did other work: its figures are void and it is named.
 */
export function race(contenders, { runs = 7, expect = 0, before } = {}) {
  const samples = contenders.map(() => [])
  for (let round = -1; round < runs; round++) {
    contenders.forEach((contender, i) => {
      before?.(contender)
      const sample = once(contender)
      if (sample.code !== (contender.expect ?? expect))
        throw new Error(`${contender.name}: exit code ${sample.code}: ${contender.command.join(' ').slice(0, 300)}`)
      if (round >= 0) samples[i].push(sample)
    })
  }
  return contenders.map(({ name }, i) => ({ name, wall: spread(samples[i].map((s) => s.wall)), cpu: spread(samples[i].map((s) => s.cpu)) }))
}

function spread(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return { min: sorted[0], median: sorted[sorted.length >> 1], max: sorted.at(-1) }
}

/** `a / b` with two digits, or a dash when there is nothing to compare. */
export function ratio(a, b) {
  return a === undefined || b === undefined || b === 0 ? undefined : Math.round((a / b) * 100) / 100
}
