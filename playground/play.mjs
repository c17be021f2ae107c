/**
 * `npm run play <bundler>`: builds the shared app with one bundler and says what its link holds. Signs with INTOTO_KEY or INTOTO_KEY_FILE, or
 * with a throw-away key that is gone afterwards.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const intoto = join(here, '../bin/intoto.js')
const players = readdirSync(here).filter((name) => name !== 'app' && existsSync(join(here, name, 'package.json')))
const [player] = process.argv.slice(2)

if (player === undefined || !players.includes(player)) {
  console.error(`npm run play <bundler>, one of: ${players.join(', ')}`)
  process.exit(2)
}

const keys = mkdtempSync(join(tmpdir(), 'in-toto-play-'))
try {
  const env = { ...process.env }
  if (env.INTOTO_KEY === undefined && env.INTOTO_KEY_FILE === undefined) {
    must(process.execPath, [intoto, 'keygen', '-o', join(keys, 'player')], { stdio: ['ignore', 'ignore', 'inherit'] })
    env.INTOTO_KEY_FILE = join(keys, 'player')
  }
  const cwd = join(here, player)
  must('npm', ['run', 'build'], { cwd, env, shell: process.platform === 'win32' })
  const link = readdirSync(join(cwd, 'dist')).find((name) => /^build\.[0-9a-f]{8}\.link$/.test(name))
  if (link === undefined) throw new Error(`${player} left no link in dist`)
  must(process.execPath, [intoto, 'show', join('dist', link)], { cwd })
} finally {
  rmSync(keys, { recursive: true, force: true })
}

/** Runs a command where its output can be seen; ends with its exit code when that is not 0. */
function must(command, args, options) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options })
  if (error !== undefined) throw error
  if (status !== 0) process.exit(status ?? 1)
}
