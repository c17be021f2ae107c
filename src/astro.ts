/**
 * Astro: an integration that adds Vite's plugin to each build that Astro starts, and holds the link back until Astro has written its pages and images.
 * It tells the recorder what Vite never sees: Astro's configuration and the files of content collections.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageVersion } from './framework.ts'
import { resolveOptions, type Options } from './options.ts'
import { prepare } from './prepare.ts'
import { endFrame, importedFiles, type Frame } from './recorder.ts'
import { vitePlugin } from './vite.ts'

/** What Astro hands to the hooks of an integration, as far as it is needed. */
interface Config {
  readonly root: URL
  readonly srcDir: URL
  readonly outDir: URL
  readonly cacheDir: URL
}
interface Setup {
  readonly command: string
  readonly config: Config
  updateConfig(config: object): unknown
}

/** An integration as Astro takes it. */
export interface AstroIntegration {
  name: string
  hooks: {
    'astro:config:setup': (o: Setup) => void
    'astro:config:done': (o: { readonly config: Config }) => void
    'astro:build:done': () => Promise<void>
  }
}

/**
 * The integration for `astro.config.mjs`: put it last in `integrations`. Files that other integrations read by themselves are recorded, too
 * (option `audit`, on unless it is given).
 */
export default function inToto(options: Options = {}): AstroIntegration {
  const resolved = resolveOptions({ audit: true, ...options })
  prepare(resolved)
  let config: Config
  let frame: Frame | undefined
  return {
    name: 'in-toto',
    hooks: {
      'astro:config:setup': (setup) => {
        if (resolved.disable || setup.command !== 'build') return
        config = setup.config
        frame = frameOf(() => config)
        setup.updateConfig({ vite: { plugins: [vitePlugin(resolved, frame)] } })
      },
      // Adapters and other integrations may have moved the output folder.
      'astro:config:done': ({ config: last }) => {
        config = last
      },
      'astro:build:done': async () => {
        if (frame !== undefined) await endFrame(frame)
      },
    },
  }
}

function frameOf(config: () => Config): Frame {
  const path = (name: keyof Config): string => fileURLToPath(config()[name]).replace(/[\\/]$/, '')
  return {
    name: 'astro',
    version: packageVersion('astro', path('root')),
    folders: () => [path('outDir')],
    generated: () => [path('cacheDir'), join(path('root'), '.astro')],
    files: () => [...configuration(path('root'), path('srcDir')), ...contents(path('cacheDir'))],
    tells: true,
  }
}

/** Astro's own configuration, that of content collections, and what both import. */
function configuration(root: string, sources: string): string[] {
  const at = process.argv.findIndex((argument) => argument === '--config')
  const inline = process.argv.find((argument) => argument.startsWith('--config='))?.slice('--config='.length)
  const named = inline ?? (at < 0 ? undefined : process.argv[at + 1])
  const own = named === undefined ? endings('astro.config').map((name) => join(root, name)) : [join(root, named)]
  const content = [...endings('content.config'), ...endings('content/config')].map((name) => join(sources, name))
  return [...own, ...content].flatMap((file) => [...importedFiles(file)])
}

function endings(name: string): string[] {
  return ['mjs', 'js', 'ts', 'mts', 'cjs', 'cts'].map((ending) => `${name}.${ending}`)
}

/** Astro keeps each entry of a collection with the path of its file, relative to the root, in one flat list of values. */
function contents(cache: string): string[] {
  try {
    const values: unknown = JSON.parse(readFileSync(join(cache, 'data-store.json'), 'utf8'))
    return Array.isArray(values)
      ? values.filter((value): value is string => typeof value === 'string' && /^[^\0\n]{1,1024}$/.test(value))
      : []
  } catch {
    return [] // a site without collections
  }
}
