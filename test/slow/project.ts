/**
 * Projects of the slow tests as a user has them: our packages packed and installed from the registry's copies of everything else, in a temporary folder, with
 * nothing of this machine's own settings.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect } from 'vitest'
import { bareEnvironment } from '../cli/command.ts'

export { writeFiles as write } from '../cli/tools.ts'

/** Where the projects of one test file lie; it is removed when the file ends. */
export const folder: string = mkdtempSync(join(tmpdir(), 'intoto-slow-'))
const repository = fileURLToPath(new URL('../../', import.meta.url))
/** Nothing of this machine's but what an installation needs. */
export const env: NodeJS.ProcessEnv = bareEnvironment({
  HOME: join(folder, 'home'),
  XDG_CONFIG_HOME: join(folder, 'home/.config'),
  npm_config_userconfig: process.env['npm_config_userconfig'] ?? join(process.env['HOME'] ?? '', '.npmrc'),
  npm_config_cache: join(folder, 'cache'),
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
  ASTRO_TELEMETRY_DISABLED: '1',
  NEXT_TELEMETRY_DISABLED: '1',
  NUXT_TELEMETRY_DISABLED: '1',
  STORYBOOK_DISABLE_TELEMETRY: '1',
})
/** Our packages, as `npm publish` would upload them. */
export const tarballs: readonly string[] = pack()
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }), 600_000)

/** How a program ended, and all that it printed. */
export interface Ended {
  readonly code: number | null
  readonly text: string
}

export function run(cwd: string, ...words: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(words[0] ?? '', words.slice(1), {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
    maxBuffer: 64 * 1024 * 1024,
  })
  return { code: status, text: stdout + stderr }
}

export function mustRun(cwd: string, ...words: readonly string[]): string {
  const { code, text } = run(cwd, ...words)
  expect(code, `${words.join(' ')}\n${text}`).toBe(0)
  return text
}

function pack(): string[] {
  const to = join(folder, 'packages')
  mkdirSync(to, { recursive: true })
  for (const from of ['.', 'packages/intoto', 'packages/npm', 'packages/cli'])
    mustRun(join(repository, from), 'npm', 'pack', '--ignore-scripts', '--pack-destination', to)
  return readdirSync(to).map((name) => join(to, name))
}

/** False where nothing can be installed. */
export function install(at: string, names: readonly string[]): boolean {
  mkdirSync(at, { recursive: true })
  if (!existsSync(join(at, 'package.json'))) writeFileSync(join(at, 'package.json'), '{ "private": true }')
  const { code, text } = run(at, 'npm', 'install', ...names)
  if (code !== 0 && process.env['CI_PEERS'] === '1') throw new Error(text)
  if (code !== 0) console.warn(`skipped: ${names.join(', ')} can not be installed here`)
  return code === 0
}
