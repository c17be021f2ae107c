/** Link files from folders that somebody chose, as the library reads them: each folder is one like those behind `-d`. Portable; judges nothing. */
import { isLinkFileName, memoryLinks, type LinkFile, type LinkSource } from 'intoto'

/** A file, and where it lay: `build.c0ffee12.link`, or below a folder that was chosen. */
export interface PlacedFile {
  readonly path: string
  readonly bytes: Uint8Array
}

/** Whether a path may hold evidence about a step; all else in a folder is left unread. */
export function mayBeLink(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return isLinkFileName(name) || /\.intoto\.jsonl?$/.test(name)
}

/** One source over all files; where two differ under one name, verification sees both, and says so. */
export function linksOf(files: readonly PlacedFile[]): LinkSource {
  const layers: Record<string, Uint8Array>[] = [{}]
  for (const { path, bytes } of files) {
    const layer = layers.find((one) => !Object.hasOwn(one, path) || isSame(one[path], bytes))
    if (layer === undefined) layers.push({ [path]: bytes })
    else layer[path] = bytes
  }
  return together(layers.map((layer) => memoryLinks(layer)))
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i])
}

function together(sources: readonly LinkSource[]): LinkSource {
  const all = async (ask: (source: LinkSource) => Promise<readonly LinkFile[]> | undefined): Promise<LinkFile[]> =>
    (await Promise.all(sources.map(async (source) => (await ask(source)) ?? []))).flat()
  return {
    get: (step, keyid) => all((source) => source.get(step, keyid)),
    list: (step) => all((source) => source.list(step)),
    statements: (step, keyid) => all((source) => source.statements?.(step, keyid)),
    within: (step, keyid) => together(sources.map((source) => source.within(step, keyid))),
  }
}
