/** Attacks on the way from the disk to the registry, by scripts of the package itself: nothing arrives, or the check of what arrived says so. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { type Chain, carryOut, copyOf, makeChain } from './chain.ts'
import { bareEnvironment, bin, temporaryFolder } from './command.ts'
import { type Registry, settings, startRegistry } from './registry.ts'

const folder = temporaryFolder()
let tested: Chain
let registry: Registry

beforeAll(async () => {
  mkdirSync(join(folder, 'honest'))
  tested = makeChain(join(folder, 'honest'), 'test')
  registry = await startRegistry()
})

/** The chain with other scripts, its steps carried out honestly. */
function project(scripts: { [name: string]: string }): Chain {
  const chain = copyOf(tested)
  const file = join(chain.root, 'package.json')
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as { scripts: object }
  writeFileSync(file, JSON.stringify({ ...manifest, scripts: { ...manifest.scripts, ...scripts } }, null, 2))
  writeFileSync(join(chain.root, '.npmrc'), settings(registry))
  registry.packages.clear()
  registry.tarballs.clear()
  for (const step of ['source', 'build', 'test'] as const) carryOut(chain, step)
  return chain
}

/** Runs beside the registry, which lives in this process. */
async function run(chain: Chain, program: string, ...args: string[]): Promise<{ code: number | null; said: string }> {
  const env = bareEnvironment({ npm_config_userconfig: join(folder, 'none'), npm_config_cache: join(folder, 'cache') })
  const child = spawn(program, args, { cwd: chain.root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += text.toString('utf8')))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, said }
}

const publish = [bin, 'publish', '-k', 'in-toto/owner.pub', '--signing-key', '../keys/ci']
const rewrite = `node -e "const p=require('./package.json');p.dependencies={evil:'1.0.0'};require('fs').writeFileSync('package.json',JSON.stringify(p))"`
const hook = (): string =>
  (JSON.parse(readFileSync(join(tested.root, 'package.json'), 'utf8')) as { scripts: { postpack: string } }).scripts.postpack

test.each([
  [
    'a prepare that edits the build',
    'prepare',
    `node -e "require('fs').appendFileSync('dist/index.js', '// evil')"`,
    /E_TAMPER.*dist\/index\.js/,
  ],
  [
    'a prepare that drops a file of the build',
    'prepare',
    `node -e "require('fs').rmSync('dist/more.js')"`,
    /E_PRODUCT package\/dist\/more\.js .*lacks it/,
  ],
  ['a postpack that rewrites package.json', 'postpack', rewrite, /E_PRODUCT package\.json .*not the file on disk/],
])('intoto publish: %s', async (_attack, event, script, reason) => {
  const { code, said } = await run(project({ [event]: script }), process.execPath, ...publish)
  expect([code, said]).toEqual([1, expect.stringMatching(reason)])
  expect([...registry.packages.keys()]).toEqual([])
})

test('npm publish: package.json rewritten before the hook', async () => {
  const { code, said } = await run(project({ postpack: `${rewrite} && ${hook()}` }), 'npm', 'publish')
  expect(code).not.toBe(0)
  expect(said).toMatch(/E_PRODUCT .*packing again gives another/)
  expect([...registry.packages.keys()]).toEqual([])
})

test('npm publish: package.json rewritten after the hook is seen at the registry', async () => {
  const chain = project({ postpack: `${hook()} && ${rewrite}` })
  expect((await run(chain, 'npm', 'publish')).code).toBe(0)
  const { code, said } = await run(chain, process.execPath, bin, 'verify', 'npm:lib@1.0.0', '-k', 'in-toto/owner.pub')
  expect([code, said]).toEqual([1, expect.stringContaining('another "dependencies" than package.json')])
})
