/**
 * Projects that install from, and publish to, a registry on loopback: our packages as they would be uploaded, and all others as npm is configured here. For
 * the journeys of a first use.
 */
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { endOf } from '../cli/command.ts'
import { offer, type Registry, settings, startRegistry } from '../cli/registry.ts'
import { writeFiles } from '../cli/tools.ts'
import { type Ended, env, folder, install, tarballs } from './project.ts'

/** Whether there is a registry for what is not ours. */
export const hasPackages: boolean = install(join(folder, 'create'), ['create-vite@9'])
/** A test that takes more time than it tells: it is none where every change has to pass, since nothing may be skipped there. */
export function atLeisure(name: string, body: () => Promise<void>): void {
  if (process.env['CI_SHARE'] !== '1') test.skipIf(!hasPackages)(name, body)
}
/** Set before the first test. */
export let registry: Registry

beforeAll(async () => {
  const upstream = spawnSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).stdout.trim()
  registry = await startRegistry({ upstream, but: ['journey-lib', 'my-lib', 'vite-lib'] })
  await offer(registry, tarballs)
})

/** Not synchronous as in project.ts, since the registry in this process has to answer meanwhile. */
export async function run(cwd: string, ...words: readonly string[]): Promise<Ended> {
  const child = spawn(words[0] ?? '', words.slice(1), { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' })
  const { code, out, err } = await endOf(child)
  return { code, text: out + err }
}

export async function mustRun(cwd: string, ...words: readonly string[]): Promise<string> {
  const { code, text } = await run(cwd, ...words)
  expect(code, `${words.join(' ')}\n${text}`).toBe(0)
  return text
}

/** A project of one's own, which knows the registry. */
export async function project(name: string, files: Readonly<Record<string, string>>, ...packages: readonly string[]): Promise<string> {
  const root = join(folder, name)
  writeFiles(root, { ...files, '.npmrc': settings(registry) })
  await mustRun(root, 'npm', 'install', ...(packages.length === 0 ? [] : ['-D', ...packages]))
  return root
}

/** A project as a template of create-vite makes it. */
export async function fromVite(name: string, template: string): Promise<string> {
  const program = join(folder, 'create/node_modules/create-vite/index.js')
  await mustRun(folder, process.execPath, program, name, '--template', template, '--no-interactive')
  return project(name, {})
}
