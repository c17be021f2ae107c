/**
 * What `intoto init` writes beside the bundler's configuration: scripts of package.json, ignored files, a recipe for CI. Texts in, texts out;
 * what a person wrote stays.
 */
import type { ClientName } from 'intoto-npm'
import { type Forge, hasHonestHook, type Manifest, type Project } from './detect.ts'

/** What is decided of the project. */
export interface Recipe {
  readonly client: ClientName
  /** Folder that the bundler writes to. */
  readonly dist: string
  /** Path of the owner's public key. */
  readonly owner: string
  /** Is it published, so that packing is a step? */
  readonly isPublished: boolean
}

/** A new text, and what could not be said in it. */
export interface Written {
  readonly text: string
  readonly notes: readonly string[]
}

/** Is the package one that is published? */
export function isPublished({ private: hidden }: Manifest): boolean {
  return hidden !== true
}

/** The scripts that keep what was not verified from being published. */
export function withScripts({ manifest, manifestText }: Project, recipe: Recipe): Written {
  if (!recipe.isPublished) return { text: manifestText, notes: [] }
  const gate = `intoto verify ${recipe.dist} -k ${recipe.owner} --through build`
  const hook = `intoto postpack -k ${recipe.owner}`
  const scripts: { [name: string]: string } = { ...manifest.scripts }
  const notes: string[] = []
  if (hasHonestHook(recipe.client)) {
    const { prepublishOnly, postpack } = scripts
    if (prepublishOnly === undefined) scripts['prepublishOnly'] = gate
    else if (!prepublishOnly.includes('intoto ')) scripts['prepublishOnly'] = `${prepublishOnly} && ${gate}`
    if (postpack === undefined) scripts['postpack'] = hook
    else if (!postpack.includes('intoto '))
      notes.push(`the script "postpack" is taken: publish with "npx intoto publish -k ${recipe.owner}"`)
  } else {
    // Their hooks come too late or don't see what is uploaded.
    const name = ['release', 'release:intoto'].find((one) => scripts[one] === undefined || scripts[one].includes('intoto publish'))
    if (name !== undefined) scripts[name] ??= `intoto publish -k ${recipe.owner}`
  }
  return { text: sameScripts(scripts, manifest.scripts) ? manifestText : withMember(manifestText, manifest, scripts), notes }
}

function sameScripts(a: object, b: object | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b ?? {})
}

/** package.json in its own indentation and line ends, members in their order. */
function withMember(text: string, manifest: Manifest, scripts: object): string {
  const indent = /^\{\r?\n([ \t]+)"/.exec(text)?.[1] ?? 2
  const end = /\s*$/.exec(text)?.[0] ?? ''
  const written = JSON.stringify({ ...manifest, scripts }, null, indent)
  return (text.includes('\r\n') ? written.replaceAll('\n', '\r\n') : written) + end
}

/** Links are made anew by every build; those that are committed would be out of date. */
export function withIgnored(text: string | undefined, dist: string): string {
  const lines = (text ?? '').split(/\r?\n/)
  const wanted = [...(text === undefined ? ['node_modules/', `${dist}/`] : []), 'in-toto/*.link'].filter(
    (line) => !lines.includes(line) && !lines.includes('*.link'),
  )
  if (wanted.length === 0) return text ?? ''
  const lineEnd = text?.includes('\r\n') ? '\r\n' : '\n'
  const before = text === undefined || text === '' || text.endsWith('\n') ? (text ?? '') : text + lineEnd
  return before + wanted.map((line) => line + lineEnd).join('')
}

/** Path of the recipe, below the root of the repository. */
export const recipeFiles: Readonly<Record<Forge, string>> = {
  github: '.github/workflows/in-toto.yml',
  gitlab: 'in-toto/gitlab-ci.yml',
}

/** Installing as a build machine does. */
function installing(client: ClientName): string {
  const commands: Readonly<Record<ClientName, string>> = {
    npm: 'npm ci',
    pnpm: 'corepack enable && pnpm install --frozen-lockfile',
    yarn: 'corepack enable && yarn install --immutable',
    bun: 'bun install --frozen-lockfile',
  }
  return commands[client]
}

/** A job that builds with the key of CI and verifies; without the secret, as in forks, it builds unsigned and says so. */
export function recipeText(forge: Forge, { client, dist, owner }: Recipe): string {
  const build = `${client} run build`
  const verify = `npx intoto verify ${dist} -k ${owner} --through build`
  if (forge === 'gitlab')
    return `# Include this file from .gitlab-ci.yml:
#   include: { local: in-toto/gitlab-ci.yml }
# INTOTO_KEY holds the private key that may perform "build" (masked, protected); INTOTO_PASSWORD its password, if it has one.
in-toto:
  image: node:24
  script:
${client === 'bun' ? '    - npm i -g bun\n' : ''}    - ${installing(client)}
    - ${build}
    - if [ -n "$INTOTO_KEY" ]; then ${verify}; fi
  artifacts:
    paths:
      - ${dist}
`
  return `# The secret INTOTO_KEY holds the private key that may perform "build"; INTOTO_PASSWORD its password, if it has one.
# Pull requests from forks have no secrets: they are built unsigned, and nothing is verified.
name: in-toto
on: [push, pull_request]
permissions:
  contents: read
jobs:
  build:
    runs-on: ubuntu-latest
    env:
      INTOTO_KEY: \${{ secrets.INTOTO_KEY }}
      INTOTO_PASSWORD: \${{ secrets.INTOTO_PASSWORD }}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: 24
${client === 'bun' ? '      - uses: oven-sh/setup-bun@v2\n' : ''}      - run: ${installing(client)}
      - run: ${build}
      - if: env.INTOTO_KEY != ''
        run: ${verify}
`
}
