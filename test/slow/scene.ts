/**
 * A folder in which a link is written while something goes wrong, and what may be found there afterwards: the earlier link or the whole new one,
 * and nothing else that could be taken for a link. The tests of kills and of failing system calls share it.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import {
  createLink,
  decodeMetadata,
  encodeMetadata,
  generateKeyPair,
  hasSignature,
  importSigner,
  isLink,
  isLinkFileName,
  linkFileName,
  sign,
  type Link,
  type Signer,
} from 'intoto'

const top = mkdtempSync(join(realpathSync(tmpdir()), 'intoto-slow-'))
afterAll(() => rmSync(top, { recursive: true, force: true, maxRetries: 5 }))

const { privatePem } = await generateKeyPair()
/** Who signs every link here. */
export const signer: Signer = await importSigner(privatePem)
/** The same as a file. */
export const keyFile: string = join(top, 'key')
writeFileSync(keyFile, privatePem, { mode: 0o600 })

/** Names that a write may leave behind when it is killed: never those of a link. */
const temporary = /^\..+\.\d+\.[0-9a-f]{12}\.tmp$/

/** A folder with one input; its links are those of the step `build`. */
export class Scene {
  readonly dir: string
  readonly link: string
  readonly links: string
  #earlier: Uint8Array | undefined

  constructor(name: string, links = 'links') {
    this.dir = mkdtempSync(join(top, `${name}-`))
    this.links = join(this.dir, links)
    mkdirSync(this.links, { recursive: true })
    this.link = join(this.links, linkFileName('build', signer.key.keyid))
    writeFileSync(join(this.dir, 'input'), 'input')
  }

  /** Puts an earlier link in place, or none. */
  async reset(withEarlier: boolean): Promise<void> {
    rmSync(this.links, { recursive: true, force: true })
    mkdirSync(this.links)
    this.#earlier = undefined
    if (!withEarlier) return
    this.#earlier = encodeMetadata(await sign(createLink({ name: 'build', byproducts: { earlier: true } }), [signer]))
    writeFileSync(this.link, this.#earlier)
  }

  /**
   * What lies there now.
   * @throws Error for a link that is broken or not signed, and for any file that is neither the link nor a temporary one
   */
  async found(): Promise<{ link: 'none' | 'earlier' | 'new'; payload?: Link; temporaries: readonly string[] }> {
    const name = linkFileName('build', signer.key.keyid)
    const others = readdirSync(this.links).filter((found) => found !== name)
    const strange = others.filter((found) => !temporary.test(found) || isLinkFileName(found))
    if (strange.length > 0) throw new Error(`left behind: ${strange.join(', ')}`)
    if (!readdirSync(this.links).includes(name)) return { link: 'none', temporaries: others }
    const bytes = readFileSync(this.link)
    if (this.#earlier !== undefined && bytes.equals(this.#earlier)) return { link: 'earlier', temporaries: others }
    const metadata = decodeMetadata(bytes)
    if (!isLink(metadata.payload) || !(await hasSignature(metadata, signer.key))) throw new Error('a link that nobody signed')
    return { link: 'new', payload: metadata.payload, temporaries: others }
  }
}
