/** One app in every bundler that is neither Vite nor Rollup: its link against what a trace of the operating system saw, and against the disk. */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { bun, others, Project, sha256, type Ended, type Other } from './project.ts'

// Three builds, one of them traced.
vi.setConfig({ testTimeout: 180_000 })

const hasStrace = isThere('strace') || process.env['CI_PEERS'] === '1'
if (!hasStrace) process.stdout.write('skipped: no strace, so opened files are not traced\n')

function isThere(command: string): boolean {
  try {
    execFileSync(command, ['-V'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Opened by a tool for itself, not for the build: its own caches, whose content the bundler checks against the sources. */
const own: Readonly<Partial<Record<Other, RegExp>>> = {
  webpack: /^node_modules\/\.cache\/webpack\//,
  rspack: /^node_modules\/\.cache\/rspack\//,
  rspack1: /^node_modules\/\.cache\/rspack\//,
}

/** The script, or the tool's own command, that builds the app. */
function commandOf(bundler: Other, project: Project): string[] {
  if (bundler === 'rsbuild') return [project.path('node_modules/.bin/rsbuild'), 'build']
  return [`build/${bundler.replace(/\d$/, '')}.mjs`]
}

function build(bundler: Other, project: Project, env: Record<string, string> = {}): Promise<Ended> {
  const command = commandOf(bundler, project)
  return bundler === 'bun' ? project.bun(command, env) : project.node(command, env)
}

function digests(project: Project): Record<string, string> {
  const names = project.files('dist').filter((name) => !name.endsWith('.link'))
  return Object.fromEntries(names.map((name) => [name, sha256(project.path(name))]))
}

describe.each(others)('an app with everything, by %s', (bundler) => {
  it('gets a link that holds all that was opened and all that was written, and comes out as without us', async () => {
    const project = new Project(`nasty-${bundler}`, bundler, 'app', 'bundlers')
    const bare = { BARE: '1' }
    const opened = hasStrace
      ? await project.traced(commandOf(bundler, project), bare, bundler === 'bun' ? bun : undefined)
      : new Set<string>()
    if (!hasStrace) expect((await build(bundler, project, bare)).code).toBe(0)
    const plain = digests(project)
    expect(Object.keys(plain).length).toBeGreaterThan(1)
    for (const folder of ['dist', 'node_modules/.cache']) rmSync(project.path(folder), { recursive: true, force: true })

    const { code, text } = await build(bundler, project)
    expect(code, text).toBe(0)
    expect(digests(project)).toEqual(plain)

    const { materials, products, byproducts, command } = await project.link()
    expect(Object.fromEntries(Object.entries(products).map(([name, digest]) => [name, digest['sha256']]))).toEqual(plain)
    for (const [name, digest] of Object.entries(materials)) expect(digest, name).toEqual({ sha256: sha256(project.path(name)) })
    const inputs = [...opened].filter((name) => !name.startsWith('dist/') && own[bundler]?.test(name) !== true)
    process.stdout.write(`${bundler}: ${inputs.length} files opened below the package, ${Object.keys(materials).length} materials\n`)
    expect(inputs.filter((name) => !(name in materials)).sort()).toEqual([])
    expect(Object.keys(materials)).toEqual(expect.arrayContaining(['package.json', 'package-lock.json', 'node_modules/tiny-dep/inner.js']))
    expect(command).toEqual(bundler === 'rsbuild' ? ['rsbuild', 'build'] : ['node', ...commandOf(bundler, project)])
    expect(byproducts['coverage']).toContain('declared')
    expect(byproducts['resolved-dependencies']).toEqual([
      { uri: 'pkg:npm/tiny-dep@1.2.3', digest: { sha512: expect.stringMatching(/^cf83e1357eefb8bd[0-9a-f]{112}$/) } },
    ])
    // Bundlers are installed beside the project, in no lockfile of its own; loaders of theirs are inputs all the same.
    const unresolved = (byproducts['unresolved-files'] ?? []) as readonly string[]
    expect(unresolved.filter((name) => !name.startsWith('../'))).toEqual([])
    expect(JSON.stringify(byproducts)).not.toContain(project.dir)
  })
})
