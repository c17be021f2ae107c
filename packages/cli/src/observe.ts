/**
 * Links that lie in folders, round by round, with who signed them: what a layout is learned from or held against. For `intoto layout learn` and
 * `diff`. What becomes of a file that can't be read, and of a signature that nobody of the given keys made, is the caller's to judge.
 */
import { readdirSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { hasSignature, InTotoError, isLink, isLinkFileName, type ObservedFile } from 'intoto'
import { readMetadataFile } from 'intoto/node'
import { misuse } from './failure.ts'
import { decodeFile, type NamedKey } from './trust.ts'

/** A link file, and the name of the key that signed it. */
export interface FoundLink extends ObservedFile {
  readonly signer?: NamedKey
}

/** Folders of the first round: those that are named, else in-toto/ and dist/, else here. */
export function usualFolders(given: readonly string[] | undefined): string[] {
  if (given !== undefined) return [...given]
  const usual = ['in-toto', 'dist', 'build', 'out'].filter(isFolder)
  return isFolder('in-toto') || usual.length > 0 ? [...usual, '.'] : ['.']
}

/** Folders of a further round: the one that is named, and those in it where links usually lie. */
export function foldersOfRun(folder: string): string[] {
  if (!isFolder(folder)) throw misuse(`--run: there is no folder "${folder}"`, 'name a folder with the links of one round')
  return [folder, ...['in-toto', 'dist', 'build', 'out'].map((name) => join(folder, name)).filter(isFolder)]
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** All links of these folders whose names are those of links; `unread` is told of the files that have such a name and no link in them. */
export async function readRun(
  folders: readonly string[],
  keys: readonly NamedKey[],
  unread: (error: InTotoError) => void,
): Promise<FoundLink[]> {
  const found: FoundLink[] = []
  const seen = new Set<string>()
  for (const file of folders.flatMap(linkFiles)) {
    const real = realpathSync(file)
    if (seen.has(real)) continue
    seen.add(real)
    try {
      const metadata = decodeFile(readMetadataFile(file, { what: 'link' }), file)
      if (!isLink(metadata.payload)) throw new InTotoError({ code: 'E_FORMAT', message: `${file}: holds no link`, file })
      let signer: NamedKey | undefined
      for (const key of keys) if (signer === undefined && (await hasSignature(metadata, key.key))) signer = key
      found.push({ link: metadata.payload, file, ...(signer === undefined ? {} : { signer, key: signer.key }) })
    } catch (error) {
      if (!(error instanceof InTotoError)) throw error
      unread(new InTotoError({ ...error.problem, file }))
    }
  }
  return found
}

function linkFiles(folder: string): string[] {
  if (!isFolder(folder)) return []
  return readdirSync(folder)
    .filter(isLinkFileName)
    .sort()
    .map((name) => join(folder, name))
}
