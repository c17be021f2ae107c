/** The playground: the same app in every bundler, each leaving a link that holds the app's own sources, whatever the bundler makes of them. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { decodeMetadata, type Link } from 'intoto'
import { describe, expect, it } from 'vitest'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const players = readdirSync(`${repository}playground`).filter(
  (name) => name !== 'app' && existsSync(`${repository}playground/${name}/package.json`),
)

/** What every bundler must have read of the app. */
const sources = [
  '.env',
  'src/App.vue',
  'src/assets/grain.svg',
  'src/assets/logo.svg',
  'src/assets/ridge.png',
  'src/components/DigestForm.module.css',
  'src/components/DigestForm.vue',
  'src/components/box.module.css',
  'src/data/algorithms.json',
  'src/explain.ts',
  'src/main.ts',
  'src/styles/main.css',
  'src/styles/theme.css',
  'src/worker/digest.worker.ts',
].map((name) => `playground/app/${name}`)

describe.each(players)('the playground, by %s', (player) => {
  it('leaves a link with all sources and products', () => {
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] } // the test's own NODE_ENV is not a person's
    execFileSync(process.execPath, ['playground/play.mjs', player], { cwd: repository, stdio: 'pipe', env })
    const dist = `playground/${player}/dist`
    const file = readdirSync(repository + dist).find((name) => name.endsWith('.link'))
    const link = decodeMetadata(readFileSync(`${repository}${dist}/${file}`)).payload as Link
    const names = Object.keys(link.materials)
    process.stdout.write(`${player}: ${names.length} materials, ${Object.keys(link.products).length} products\n`)
    expect(names).toEqual(expect.arrayContaining([...sources, 'package-lock.json']))
    expect(names.some((name) => name.startsWith(`playground/${player}/`))).toBe(true)
    const written = readdirSync(repository + dist, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const paths = written
      .map((entry) => `${entry.parentPath}/${entry.name}`.slice(repository.length))
      .filter((path) => !path.endsWith('.link'))
    expect(paths.filter((path) => !(path in link.products))).toEqual([])
    for (const [name, digest] of Object.entries({ ...link.materials, ...link.products }))
      expect(digest, name).toEqual({
        sha256: createHash('sha256')
          .update(readFileSync(repository + name))
          .digest('hex'),
      })
  })
})
