/**
 * Keys, for `intoto doctor`: can they be read, by whom, do they lie where they may be published, and does the layout know the one that signs. It looks
 * for private keys that belong to this project's evidence; keys of others (certificates for tests) are none of its business. No byte of one is kept.
 */
import { existsSync, realpathSync, statSync } from 'node:fs'
import { isAbsolute, relative, resolve, sep } from 'node:path'
import { fromUtf8, importSigner, keyMaterial, type Key } from 'intoto'
import { readMetadataFile, walkFiles } from 'intoto/node'
import { hasPrivateKey } from 'intoto-npm'
import { excludeOf } from '../recording.ts'
import { faulty, type Finding, finding } from './finding.ts'
import { isTracked } from '../git.ts'
import { path, word } from './shell.ts'
import { keysOfStep, type Situation, textOf } from './situation.ts'

/** Largest file that is looked into for a key. */
const largest = 64 * 1024

/** Can the keys be used, and may the one that signs do so? */
export function checkKeys(s: Situation): Finding[] {
  const unreadable = s.publicKeys.flatMap(({ file, fault }) =>
    fault === undefined ? [] : [faulty('key-unusable', file, fault, `replace ${file} by a public key in PEM form`)],
  )
  return [...unreadable, ...keyInUse(s)]
}

function keyInUse({ keyInUse: used, layout, layoutFile, publicKeys }: Situation): Finding[] {
  if (used === undefined) return []
  const name = used.file ?? used.from
  if (used.isLocked === true) {
    const message = 'the key that signs here is encrypted and no password is set, so its id is not known to this report'
    return [finding('key-locked', name, message, 'set INTOTO_PASSWORD or INTOTO_PASSWORD_FILE and ask again')]
  }
  if (used.key === undefined) return [faulty('key-unusable', name, used.fault, 'intoto keygen makes a key')]
  if (layout === undefined) return []
  const may = layout.payload.steps.filter((step) => isAmong(used.key as Key, keysOfStep(layout.payload, step.name)))
  if (may.length > 0) return []
  const pub = publicKeys.find(({ key }) => key !== undefined && keyMaterial(key) === keyMaterial(used.key as Key))?.file ?? 'KEY.pub'
  const step = layout.payload.steps.at(0)?.name ?? 'build'
  return [
    finding('key-not-in-layout', name, `the layout ${layoutFile} lets this key carry out no step: links that it signs are refused`, [
      `npx intoto layout renew ${path(layoutFile)} --add-functionary ${word(`${step}=${pub}`)} --sign-with OWNER`,
      'or sign with a key that the layout names',
    ]),
  ]
}

function isAmong(key: Key, keys: readonly Key[]): boolean {
  return keys.some((one) => keyMaterial(one) === keyMaterial(key))
}

/** Who can read the private keys, and could they be published? */
export async function checkSecrets(s: Situation): Promise<Finding[]> {
  const inside = await privateKeysInside(s)
  const used = s.keyInUse?.file
  const isElsewhere = used !== undefined && existsSync(used) && !inside.some((file) => sameFile(file, used))
  const files = [...inside, ...(isElsewhere ? [used] : [])]
  const packs = await packedBy(s)
  return [...inside.map((file) => published(file, packs, s)), ...files.flatMap(readable)]
}

function readable(file: string): Finding[] {
  if (process.platform === 'win32' || (statSync(file).mode & 0o077) === 0) return []
  return [finding('key-readable', file, 'others than you may read this private key', `chmod 600 ${path(file)}`)]
}

function published(file: string, packs: (file: string) => boolean, s: Situation): Finding {
  const away = `mv ${path(file)} ..`
  if (s.repository !== undefined && isTracked(file))
    return finding('key-tracked', file, 'git tracks this private key, so whoever has the repository has it', [
      `git rm --cached ${path(file)} && ${away}`,
      'history keeps it: make a new key (npx intoto key rotate) and let the layout forget this one',
    ])
  if (packs(file))
    return finding('key-packed', file, 'this private key would be packed and published', [away, 'or leave it out by "files"'])
  const message = 'a private key lies in the project, one "git add" away from everybody'
  return finding('key-in-project', file, message, [away, 'and name it by INTOTO_KEY_FILE'])
}

/** Private keys below the working directory that have to do with the evidence: in use, beside their public half, in in-toto/, or known by it. */
async function privateKeysInside(s: Situation): Promise<string[]> {
  const exclude = (name: string, isFolder: boolean): boolean => isFolder && /(?:^|\/)(?:node_modules|\.git)$/.test(name)
  const known = new Set([
    ...s.publicKeys.flatMap(({ key }) => (key === undefined ? [] : [keyMaterial(key)])),
    ...Object.values(s.layout?.payload.keys ?? {}).map(keyMaterial),
  ])
  const found: string[] = []
  for (const file of walkFiles('.', { exclude, followFolders: false })) {
    const mayBe = file.startsWith('in-toto/') || /(?:^|\/)[^./]+$|\.(?:pem|key|p8|pk8|private)$/i.test(file)
    if (mayBe && (await isOurs(file, s, known))) found.push(file)
  }
  const used = s.keyInUse?.file
  if (used !== undefined && existsSync(used) && isBelow(used) && !found.some((file) => sameFile(file, used)))
    found.push(relative('.', used))
  return found
}

async function isOurs(file: string, s: Situation, known: ReadonlySet<string>): Promise<boolean> {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? Infinity) > largest) return false
  const bytes = readMetadataFile(file, { what: 'key', limit: largest })
  if (!hasPrivateKey(bytes)) return false
  if (file.startsWith('in-toto/') || existsSync(`${file}.pub`)) return true
  if (s.keyInUse?.file !== undefined && sameFile(file, s.keyInUse.file)) return true
  try {
    return known.has(keyMaterial((await importSigner(fromUtf8(bytes))).key))
  } catch {
    return false // encrypted, or of a kind that never signs here
  }
}

function sameFile(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b)
  } catch {
    return resolve(a) === resolve(b)
  }
}

function isBelow(file: string): boolean {
  const way = relative(realpathSync('.'), realpathSync(file))
  return !isAbsolute(way) && way !== '..' && !way.startsWith(`..${sep}`)
}

/** Which files a client would pack, by "files" or by what is ignored; nothing of a package that is private. */
async function packedBy({ project }: Situation): Promise<(file: string) => boolean> {
  if (project === undefined || project.manifest.private === true) return () => false
  const { files } = project.manifest
  if (Array.isArray(files)) {
    const patterns = files.filter((entry) => typeof entry === 'string').map((entry) => entry.replace(/^(!?)(?:\.?\/)?/, '$1/'))
    const matches = await excludeOf(patterns)
    return (file) => matches(file, false)
  }
  const ignored = textOf('.npmignore') ?? textOf('.gitignore')
  const matches = await excludeOf(ignored?.split(/\r?\n/) ?? [])
  return (file) => !matches(file, false)
}
