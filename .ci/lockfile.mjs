/**
 * Keeps package-lock.json fit for `npm ci` everywhere: `npm run lockfile` after adding a dependency, `npm run lockfile -- --check` in the gates.
 * npm leaves a platform's optional package out of the lockfile when the registry at hand does not serve it (a partial mirror), and then refuses
 * its own lockfile. This adds what is missing and refuses download addresses. It must never touch an entry that npm wrote.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { argv, exit } from 'node:process'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(new URL('../package-lock.json', import.meta.url))
const check = argv.includes('--check')
const lock = JSON.parse(readFileSync(file, 'utf8'))

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'wasi', 'win32']
const processors = { arm: 'arm', armv7: 'arm', ia32: 'ia32', riscv64: 'riscv64', wasm32: 'wasm32' }
for (const cpu of ['arm64', 'loong64', 'mips64el', 'ppc64', 's390x', 'x64']) processors[cpu] = cpu

/** What a platform package's name says of its platform: `@rollup/rollup-linux-x64-musl` is linux, x64, musl. */
function platform(name) {
  const words = name.replace(/^@[^/]*\//, '').split('-')
  const os = words.find((word) => systems.includes(word))
  const cpu = processors[words.find((word) => word in processors)]
  const libc = words.includes('musl') ? 'musl' : words.includes('gnu') && os === 'linux' ? 'glibc' : undefined
  return os === undefined || cpu === undefined ? undefined : { os, cpu, libc }
}

/** An entry with its members in npm's order. Without an integrity: nobody here has seen the package; npm adds it where it installs one. */
function entryFor(version, { os, cpu, libc }, dev) {
  return { version, cpu: [cpu], ...(dev && { dev }), ...(libc && { libc: [libc] }), optional: true, ...(cpu !== 'wasm32' && { os: [os] }) }
}

/** The entry that Node would find for `name` from the package at `from`, or undefined. */
function resolved(from, name) {
  for (let folder = from; ;) {
    const place = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`
    if (place in lock.packages) return lock.packages[place]
    if (folder === '') return undefined
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))
  }
}

const missing = []
const strange = []
for (const [place, entry] of Object.entries(lock.packages)) {
  if (/^https?:/.test(entry.resolved ?? '')) strange.push(`${place}: holds a download address; set omit-lockfile-registry-resolved=true`)
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const exact = /^\d+\.\d+\.\d+$/.test(version)
    const found = resolved(place, name)
    if (found !== undefined && (!exact || found.version === version)) continue
    const where = platform(name)
    if (where === undefined || !exact) strange.push(`${place}: optional ${name}@${version} is in no entry`)
    else {
      const beside = `${place.slice(0, place.lastIndexOf('node_modules/'))}node_modules/${name}`
      missing.push([beside in lock.packages ? `${place}/node_modules/${name}` : beside, entryFor(version, where, entry.dev)])
    }
  }
}
for (const line of strange) console.error(line)
if (check) for (const [place] of missing) console.error(`${place}: missing; run: npm run lockfile`)
else if (missing.length > 0) {
  for (const [place, entry] of missing) lock.packages[place] = entry
  const byName = ([a], [b]) => a.localeCompare(b, 'en')
  lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(byName))
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
  console.log(`${missing.length} platform packages added to package-lock.json`)
}
if (strange.length > 0 || (check && missing.length > 0)) exit(1)
