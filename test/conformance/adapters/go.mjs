/**
 * in-toto-golang as an adapter: `node go.mjs FOLDER`, with its commands in the folder that `INTOTO_PEERS` names (`bash .ci/peers FOLDER` puts them
 * there). Its command line takes no parameters, so a case that has some goes to the driver of test/interop, which calls the library.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { argv, env, exit, stderr } from 'node:process'
import { fileURLToPath } from 'node:url'

const folder = resolve(argv[2])
const bin = join(env['INTOTO_PEERS'] ?? fileURLToPath(new URL('../../../.cache/peers', import.meta.url)), 'go/bin')
const at = (name) => join(folder, name)
const keys = readdirSync(at('keys')).map((name) => at(`keys/${name}`))
if (existsSync(at('parameters'))) {
  const lines = readFileSync(at('parameters'), 'utf8').trim().split('\n')
  const substitute = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
  const request = { op: 'verify', dir: at('work'), layout: at('root.layout'), links: at('links'), keys, substitute }
  const { stdout } = spawnSync(join(bin, 'peer'), { input: `${JSON.stringify(request)}\n`, encoding: 'utf8' })
  const { ok, kind, message } = JSON.parse(stdout)
  if (!ok) stderr.write(`${kind}: ${message}\n`)
  exit(ok ? 0 : 1)
}
const args = ['verify', '-l', at('root.layout'), '-k', keys.join(','), '-d', at('links')]
const { status, signal } = spawnSync(join(bin, 'in-toto'), args, { cwd: at('work'), stdio: 'inherit' })
exit(signal === null ? status : 128)
