/**
 * Links for DevGuard, which collects those of `post-commit`, `build` and `deploy` by commit and judges them when it is asked about an image. Each link is one
 * signed request (RFC 9421) in the form of its scanner. It is a place to upload to: what it hands out is not read back here.
 */
import { createECDH, createHash, createPrivateKey, sign, type KeyObject } from 'node:crypto'
import { decodeMetadata, fromUtf8, InTotoError, isLink, isLinkFileName, type Link, utf8 } from 'intoto'
import { checkAddress, failed, request, type HttpOptions } from './http.ts'
import { checkPush, type EvidenceFile, type EvidenceStore, type PushResult, type StoreOptions, type Subject } from './store.ts'

const steps: readonly string[] = ['post-commit', 'build', 'deploy']

/** A token: the private number of a P-256 key, whose public half DevGuard knows. */
interface Token {
  readonly key: KeyObject
  /** SHA-256, in hex, of the hex digits of both coordinates. */
  readonly fingerprint: string
}

/** A link that DevGuard takes, and the commit that it tells of. */
interface Upload {
  readonly name: string
  readonly link: Link
  readonly text: string
}

/** A place in DevGuard. */
export class DevGuardStore implements EvidenceStore {
  readonly reference: string
  private readonly endpoint: URL
  private readonly options: StoreOptions
  private readonly http: HttpOptions

  /** @throws InTotoError E_CONFIG for an address without asset or without TLS */
  constructor(reference: string, options: StoreOptions = {}) {
    const address = reference.replace(/^devguard\+/, '').replace(/\/+$/, '')
    const [, origin, asset] = /^(https?:\/\/[^/?#]+)\/([^?#]+)$/.exec(address) ?? []
    if (origin === undefined || asset === undefined || !URL.canParse(origin)) {
      const message = 'the address of an asset in DevGuard is devguard+https://HOST/ORGANIZATION/projects/PROJECT/assets/ASSET'
      throw new InTotoError({ code: 'E_CONFIG', message, fix: 'copy the name of the asset from its page in DevGuard' })
    }
    this.endpoint = new URL(`${origin}/api/v1/organizations/${asset}/in-toto`)
    checkAddress(this.endpoint)
    this.reference = reference
    this.options = options
    this.http = { timeout: options.timeout ?? 30_000, fetch: options.fetch ?? fetch }
  }

  /** The subject is the image's manifest, whose digest goes along with the link of `deploy`: with that DevGuard has all it waits for. */
  async push(files: readonly EvidenceFile[], subject: Subject): Promise<PushResult> {
    checkPush(files, subject)
    const token = this.token()
    const result: PushResult = { stored: [], skipped: [] }
    const uploads: Upload[] = []
    for (const file of files) {
      const upload = uploadOf(file)
      if (typeof upload === 'string') result.skipped.push({ name: file.name, reason: upload })
      else uploads.push(upload)
    }
    uploads.sort((a, b) => steps.indexOf(a.link.name) - steps.indexOf(b.link.name))
    if (uploads.length === 0) {
      const message = `${this.reference} takes links of ${steps.join(', ')}, and none of the files is one`
      throw new InTotoError({ code: 'E_UNSUPPORTED', message, fix: 'carry out the steps of the preset "devguard"' })
    }
    const commit = commitOf(uploads)
    for (const { name, link, text } of uploads) {
      const digest = link.name === 'deploy' ? `sha256:${subject.sha256}` : null
      const body = { step: link.name, supplyChainId: commit, supplyChainOutputDigest: digest, payload: text, filename: name }
      await this.upload(utf8(JSON.stringify(body)), token)
      result.stored.push({ name, reference: `${this.reference}#${commit}` })
    }
    return result
  }

  /** @throws InTotoError E_UNSUPPORTED */
  async pull(): Promise<EvidenceFile[]> {
    const message = `${this.reference} is a place to upload to: DevGuard hands links out as archives, by commit`
    throw new InTotoError({
      code: 'E_UNSUPPORTED',
      message,
      fix: 'keep the links in another store too, or use "devguard-scanner intoto fetch-links"',
    })
  }

  private token(): Token {
    const { credentials } = this.options
    const hex = credentials !== undefined && 'token' in credentials ? credentials.token.trim() : ''
    const fix = 'set INTOTO_STORE_PASSWORD to the token: 64 hexadecimal digits'
    if (!/^[0-9a-f]{64}$/i.test(hex)) throw new InTotoError({ code: 'E_KEY', message: 'DevGuard needs a personal access token', fix })
    try {
      return tokenOf(hex)
    } catch {
      throw new InTotoError({ code: 'E_KEY', message: 'the token is no private key of P-256', fix })
    }
  }

  private async upload(body: Uint8Array, token: Token): Promise<void> {
    const headers = { 'content-type': 'application/json', ...signedHeaders(body, token) }
    const answer = await request({ method: 'POST', url: this.endpoint, headers, body, limit: 1024 * 1024 }, this.http)
    if (answer.status === 200) return
    const denied = answer.status === 401 || answer.status === 403
    throw failed(
      this.endpoint,
      `it refused a link with status ${answer.status}`,
      denied ? 'check that the token belongs to a member of the project' : 'check the name of the asset',
    )
  }
}

function tokenOf(hex: string): Token {
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(hex, 'hex')
  const point = curve.getPublicKey()
  const text = (bytes: Buffer): string => bytes.toString('base64url')
  const jwk = { kty: 'EC', crv: 'P-256', d: text(Buffer.from(hex, 'hex')), x: text(point.subarray(1, 33)), y: text(point.subarray(33)) }
  const fingerprint = createHash('sha256').update(point.subarray(1).toString('hex')).digest('hex')
  return { key: createPrivateKey({ key: jwk, format: 'jwk' }), fingerprint }
}

/** Method and content are signed (RFC 9421, 2.5 and 3.3.4; RFC 9530); DevGuard finds the key by its fingerprint. */
function signedHeaders(body: Uint8Array, { key, fingerprint }: Token): Record<string, string> {
  const digest = `sha-256=:${createHash('sha256').update(body).digest('base64')}:`
  const parameters = `("@method" "content-digest");created=${Math.floor(Date.now() / 1000)};alg="ecdsa-p256-sha256"`
  const base = `"@method": POST\n"content-digest": ${digest}\n"@signature-params": ${parameters}`
  const signature = sign('sha256', Buffer.from(base), { key, dsaEncoding: 'ieee-p1363' }).toString('base64')
  return {
    'x-fingerprint': fingerprint,
    'content-digest': digest,
    'signature-input': `sig77=${parameters}`,
    signature: `sig77=:${signature}:`,
  }
}

/** A link as DevGuard takes it, or why it takes none of this file. */
function uploadOf({ name, bytes }: EvidenceFile): Upload | string {
  if (!isLinkFileName(name)) return 'DevGuard takes links only'
  const metadata = decodeMetadata(bytes, { what: name })
  const { payload } = metadata
  if (!isLink(payload) || !steps.includes(payload.name)) return `not a link of ${steps.join(', ')}`
  return metadata.format === 'dsse' ? { name, link: payload, text: fromUtf8(bytes) } : 'DevGuard takes links in DSSE envelopes only'
}

/** The commit that recorders noted, by which DevGuard joins links. @throws InTotoError E_CONFIG */
function commitOf(uploads: readonly Upload[]): string {
  for (const { byproducts } of uploads.map(({ link }) => link)) {
    for (const name of ['git', 'source']) {
      const value = byproducts[name]
      const commit = typeof value === 'object' && value !== null && !Array.isArray(value) ? value['commit'] : undefined
      if (typeof commit === 'string' && /^[0-9a-f]{40,64}$/.test(commit)) return commit
    }
  }
  throw new InTotoError({
    code: 'E_CONFIG',
    message: 'none of the links tells the commit, by which DevGuard joins them',
    fix: 'push the link of "intoto record source -n post-commit" along with the others',
  })
}
