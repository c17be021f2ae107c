/** Evidence in a real OCI registry, the reference one of the distribution project, which knows no referrers API: pushed, found by digest, pulled, verified. */
import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeChain } from '../cli/chain.ts'
import { intoto, mustRun, temporaryFolder } from '../cli/command.ts'
import { goProgram } from './program.ts'

const program = goProgram('registry', 'github.com/distribution/distribution/v3/cmd/registry@v3.1.2')
const folder = temporaryFolder()
let server: ChildProcess
let host = ''

beforeAll(async () => {
  if (program === undefined) return
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  host = `127.0.0.1:${(probe.address() as AddressInfo).port}`
  await new Promise((resolve) => probe.close(resolve))
  const config = {
    version: 0.1,
    storage: { filesystem: { rootdirectory: join(folder, 'storage') } },
    http: { addr: host },
    log: { level: 'error' },
  }
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config)) // JSON is YAML
  server = spawn(program, ['serve', join(folder, 'config.yml')], {
    stdio: 'ignore',
    env: { PATH: '', HOME: folder, OTEL_TRACES_EXPORTER: 'none' },
  })
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`http://${host}/v2/`, { headers: { connection: 'close' } }).catch(() => undefined)
    if (answer?.ok === true) return
    if (tries > 100) throw new Error('the registry does not start')
    await sleep(200)
  }
}, 60_000)

afterAll(() => void server?.kill())

describe.skipIf(program === undefined)('a registry of the distribution project', () => {
  test('keeps the evidence about a tarball, and gives it back by the digest alone', async () => {
    mkdirSync(join(folder, 'made'))
    const { root, call } = makeChain(join(folder, 'made'), 'test', { layout: ['--tarball', 'lib-1.0.0.tgz'] })
    mustRun(['pack', '--signing-key', '../keys/ci'], call)
    const store = `oci://${host}/team/lib`
    mustRun(['evidence', 'push', 'lib-1.0.0.tgz', '--store', store], call)
    mustRun(['evidence', 'push', 'lib-1.0.0.tgz', '--store', store], call) // what is there is not stored twice

    const digest = createHash('sha256')
      .update(readFileSync(join(root, 'lib-1.0.0.tgz')))
      .digest('hex')
    const list = await fetch(`http://${host}/v2/team/lib/tags/list`, { headers: { connection: 'close' } })
    const { tags } = (await list.json()) as { tags: string[] }
    expect(tags, 'the tag by which clients find referrers').toEqual([`sha256-${digest}`])

    const elsewhere = join(folder, 'elsewhere')
    mkdirSync(elsewhere)
    copyFileSync(join(root, 'lib-1.0.0.tgz'), join(elsewhere, 'lib.tgz'))
    copyFileSync(join(root, 'in-toto/owner.pub'), join(elsewhere, 'owner.pub'))
    mustRun(['evidence', 'pull', 'lib.tgz', '--store', store, '-d', 'pulled'], { cwd: elsewhere })
    copyFileSync(join(elsewhere, 'lib.tgz'), join(elsewhere, 'lib-1.0.0.tgz'))
    const verify = ['verify', 'lib-1.0.0.tgz', '-k', 'owner.pub', '-l', 'pulled/root.layout']
    mustRun([...verify, '-d', 'pulled'], { cwd: elsewhere })
    mustRun([...verify, '--store', store], { cwd: elsewhere })
    writeFileSync(join(elsewhere, 'other.tgz'), 'other')
    expect(intoto(['evidence', 'pull', 'other.tgz', '--store', store, '-d', 'none'], { cwd: elsewhere }).code).toBe(1)
  })
})
