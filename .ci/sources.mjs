/**
 * What the packages of this repository offer, as their package.json says, and the source behind each: for everything that bundles them, which reads
 * the sources, as the tests do, and needs nothing built before.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))

/** The scripts of dist/ that a package names, by `exports` or by `imports`: `{ name, file, source }`, where the file is one of dist/ without its ending. */
export function facesOf(folder) {
  const { name, exports, imports = {} } = JSON.parse(readFileSync(at(`${folder}/package.json`), 'utf8'))
  const offered = Object.entries(exports).map(([subpath, target]) => ({ name: name + subpath.slice(1), target }))
  const inner = Object.entries(imports).flatMap(([specifier, targets]) =>
    Object.entries(targets).map(([condition, target]) => ({ name: specifier, condition, target })),
  )
  return [...offered, ...inner].flatMap(({ target, ...face }) => {
    const file = /^\.\/dist\/(.+)\.js$/.exec(target)?.[1]
    return file === undefined ? [] : [{ ...face, file, source: at(`${folder}/src/${file}.ts`) }]
  })
}

/** Aliases for rolldown that lead the faces of the libraries to their sources, under a condition of `#crypto`: `node`, or `default` for browsers. */
export function sourcesFor(platform) {
  const faces = ['packages/intoto', 'packages/npm'].flatMap(facesOf).filter(({ condition = platform }) => condition === platform)
  return Object.fromEntries(faces.map(({ name, source }) => [`${name}$`, source]))
}
