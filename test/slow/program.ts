/**
 * Programs of others that only the slow tests need, built from the Go module proxy: minutes the first time, kept in .cache/tools. Where there is no Go, or
 * no proxy, the test is skipped with a word; with CI_PEERS=1 it fails.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const cache = fileURLToPath(new URL('../../.cache/tools', import.meta.url))

/** Path of a program, built if need be; undefined where it can't be had. `from` is its package, with version. */
export function goProgram(name: string, from: string): string | undefined {
  const path = join(cache, `${name}-${from.split('@')[1] ?? ''}`)
  if (existsSync(path)) return path
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(tmpdir(), 'intoto-go-'))
  const { status } = spawnSync('go', ['install', from], { env: { ...process.env, GOBIN: folder }, stdio: 'ignore', timeout: 60 * 60_000 })
  if (status === 0) renameSync(join(folder, name), path)
  rmSync(folder, { recursive: true, force: true })
  if (status === 0) return path
  const word = `${name} can not be built here (go install ${from})`
  if (process.env['CI_PEERS'] === '1') throw new Error(word)
  console.warn(`skipped: ${word}`)
  return undefined
}
