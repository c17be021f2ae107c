/** cosign and what we make for it: bundles of SLSA provenance and of the link, by every type of key, for the file that they speak of and for no other. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { mustRun, temporaryFolder } from '../cli/command.ts'
import { goProgram } from './program.ts'

const cosign = goProgram('cosign', 'github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3')
const folder = temporaryFolder()
const types = { slsa: 'https://slsa.dev/provenance/v1', link: 'https://in-toto.io/attestation/link/v0.3' } as const

/** What cosign says of a bundle about a file. */
function verified(o: { key: string; bundle: string; type: string; file: string }): { ok: boolean; said: string } {
  const words = ['verify-blob-attestation', '--insecure-ignore-tlog=true', '--key', o.key, '--bundle', o.bundle, '--type', o.type, o.file]
  const { status, stdout, stderr } = spawnSync(cosign ?? '', words, { encoding: 'utf8', env: { ...process.env, HOME: folder } })
  return { ok: status === 0, said: stdout + stderr }
}

describe.skipIf(cosign === undefined).each(['ed25519', 'ecdsa', 'rsa'])('a bundle by an %s key', (type) => {
  const root = join(folder, type, 'lib')
  const key = join(folder, type, 'key')
  const file = join(root, 'lib-1.0.0.tgz')
  const other = join(folder, type, 'other.tgz')

  test.each(['slsa', 'link'] as const)('of predicate %s', (predicate) => {
    if (predicate === 'slsa') {
      mkdirSync(root, { recursive: true })
      writeFileSync(join(root, 'package.json'), '{ "name": "lib", "version": "1.0.0" }')
      writeFileSync(join(root, 'index.js'), 'export default 1\n')
      writeFileSync(other, 'other')
      for (const name of [key, `${key}2`]) mustRun(['keygen', '--type', type, '-o', name])
      mustRun(['pack', '--signing-key', key], { cwd: root })
    }
    const bundle = join(folder, type, `${predicate}.json`)
    mustRun(['provenance', 'lib-1.0.0.tgz', '--predicate', predicate, '--signing-key', key, '--bundle', bundle], { cwd: root })
    const right = { key: `${key}.pub`, bundle, type: types[predicate], file }
    expect(verified(right)).toMatchObject({ ok: true })
    expect(verified({ ...right, file: other }).ok, 'another file').toBe(false)
    expect(verified({ ...right, key: `${key}2.pub` }).ok, 'another key').toBe(false)
    expect(verified({ ...right, type: types[predicate === 'slsa' ? 'link' : 'slsa'] }).ok, 'another predicate').toBe(false)
  })
})
