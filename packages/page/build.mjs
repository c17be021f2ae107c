/**
 * Makes what a page carries inside: the report's script and style as `dist/assets.js`, with their hashes for the content security policy, and the
 * verifier page as one file, both from the sources of it and of the libraries.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { place } from '../../.ci/place.mjs'
import { sourcesFor } from '../../.ci/sources.mjs'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))

/** Everything that went into the scripts, for the licences of other people's code. */
const modules = []

/** One script for a browser, that asks for nothing when it runs. */
async function scriptOf(entry, version) {
  const bundle = await rolldown({
    input: at(entry),
    platform: 'browser',
    resolve: { conditionNames: ['import', 'default'], alias: sourcesFor('default') },
    transform: { define: { PACKAGE_VERSION: JSON.stringify(version) } },
    onLog(level, log, report) {
      if (level === 'warn') throw new Error(`bundling: ${log.message}`)
      report(level, log)
    },
  })
  const { output } = await bundle.generate({ format: 'iife', minify: true, sourcemap: false })
  await bundle.close()
  if (output.length !== 1) throw new Error(`bundling: ${entry} makes ${output.length} files`)
  modules.push(...output[0].moduleIds)
  return inline(output[0].code.trim())
}

/** Text that can stand in a script element, with nothing in it that could end the element, and nothing that can't be seen. */
function inline(code) {
  return code
    .replace(/<(?=\/script|!--|script)/gi, '\\x3C')
    .replace(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A style sheet without comments and the space between its rules. */
function styleOf(file) {
  return readFileSync(at(file), 'utf8')
    .replace(/\/\*.*?\*\//gs, '')
    .replace(/\n\s*/g, '\n')
    .replace(/ ?([{;]) ?/g, '$1')
    .replace(/\n/g, '')
}

const hashOf = (text) => `sha256-${createHash('sha256').update(text).digest('base64')}`

const { version } = JSON.parse(readFileSync(at('package.json'), 'utf8'))
const [script, style] = [await scriptOf('src/explorer.ts', version), styleOf('src/style.css')]
const members = { script, style, scriptHash: hashOf(script), styleHash: hashOf(style) }
place(
  at('dist/assets.js'),
  Object.entries(members)
    .map(([name, text]) => `export const ${name} = ${JSON.stringify(text)}\n`)
    .join(''),
)

// Reports that the page saves carry the assets, too: it is bundled when they are there.
const verifier = await scriptOf('src/verifier.ts', version)
const gaps = {
  SCRIPT_HASH: hashOf(verifier),
  STYLE_HASH: hashOf(style),
  PACKAGE_VERSION: version,
  '<!--STYLE-->': `<style>${style}</style>`,
  '<!--SCRIPT-->': `<script>${verifier}</script>`,
}
const page = readFileSync(at('src/verifier.html'), 'utf8')
place(
  at('dist/verifier.html'),
  page.replace(new RegExp(Object.keys(gaps).join('|'), 'g'), (gap) => gaps[gap]),
)
place(at('dist/modules.json'), JSON.stringify(modules))
