/**
 * Evidence in Archivista, the graph of in-toto attestations: Statements are uploaded as they are, found by the digests of their subjects, and followed
 * from a tarball back to its sources by the materials that they name. It indexes Statements and nothing else, so classic links stay outside; what
 * it returns is checked against its own content address and verified by nobody yet.
 */
import { createHash } from 'node:crypto'
import {
  decodeMetadata,
  InTotoError,
  isLinkFileName,
  isStatement,
  linkFileName,
  linkPredicateType,
  problem,
  type Metadata,
  type Statement,
} from 'intoto'
import { readLines } from '../provenance/index.ts'
import { checkAddress, failed, request, type Answer, type Call, type HttpOptions } from './http.ts'
import {
  checkPush,
  checkSubject,
  Intake,
  isSafeName,
  type EvidenceFile,
  type EvidenceStore,
  type PullOptions,
  type PushResult,
  type StoreOptions,
  type Subject,
} from './store.ts'

const pageSize = 100
/** Answers of the query interface; each holds ids of 64 digits and little else. */
const answerBytes = 4 * 1024 * 1024
/** Steps from a tarball back to its sources; and digests in one question, since a source step has thousands. */
const maxRounds = 16
const digestsPerQuery = 500

const search = `query ($where: DsseWhereInput, $first: Int, $after: Cursor) {
  dsses(where: $where, first: $first, after: $after) { edges { node { gitoidSha256 } } pageInfo { hasNextPage endCursor } }
}`

interface SearchAnswer {
  data?: { dsses?: { edges?: unknown; pageInfo?: { hasNextPage?: unknown; endCursor?: unknown } } } | null
}

/** A store in an Archivista server. */
export class ArchivistaStore implements EvidenceStore {
  readonly reference: string
  private readonly base: URL
  private readonly options: StoreOptions
  private readonly http: HttpOptions
  /** Older servers have their routes without a version. */
  private prefix = 'v1/'

  /** @throws InTotoError E_CONFIG for an address with a password or without TLS */
  constructor(reference: string, options: StoreOptions = {}) {
    const address = reference.replace(/^archivista\+/, '')
    if (!/^archivista\+https?:\/\//.test(reference) || !URL.canParse(address)) {
      const message = 'the address of an Archivista store is archivista+https://HOST'
      throw new InTotoError({ code: 'E_CONFIG', message, fix: 'name the server, such as archivista+https://archivista.example' })
    }
    this.base = new URL(address.replace(/\/*$/, '/'))
    checkAddress(this.base)
    this.reference = reference
    this.options = options
    this.http = { timeout: options.timeout ?? 30_000, fetch: options.fetch ?? fetch }
  }

  async push(files: readonly EvidenceFile[], subject: Subject): Promise<PushResult> {
    checkPush(files, subject)
    const result: PushResult = { stored: [], skipped: [] }
    for (const file of files) {
      const { envelopes, reason } = envelopesOf(file)
      for (const bytes of envelopes) result.stored.push({ name: file.name, reference: `${this.reference}#${await this.upload(bytes)}` })
      if (reason !== undefined) result.skipped.push({ name: file.name, reason })
    }
    if (files.length > 0 && result.stored.length === 0) {
      const message = `${this.reference} holds Statements only, and none of the files is one (${result.skipped[0]?.name}: ${result.skipped[0]?.reason})`
      throw new InTotoError({ code: 'E_UNSUPPORTED', message, fix: 'write Statements beside the links, or use another store' })
    }
    return result
  }

  /** Uploads an envelope unless it is there; a second upload of one content is an error to the server. */
  private async upload(bytes: Uint8Array): Promise<string> {
    const id = gitoid(bytes)
    const there = await this.find({ gitoidSha256: id })
    if (there.includes(id)) return id
    const answer = await this.call({ method: 'POST', path: 'upload', body: bytes, limit: answerBytes })
    if (answer.status !== 200) throw this.refused(answer, 'upload')
    const { gitoid: given } = this.json(answer) as { gitoid?: unknown }
    if (given === id) return id
    throw failed(this.base, 'it stored an attestation under another content address', 'check the server, it changes what it is given')
  }

  async pull(subject: Subject, o: PullOptions = {}): Promise<EvidenceFile[]> {
    checkSubject(subject)
    const intake = new Intake(this.reference, this.options.limits)
    await intake.during((signal) => this.collect(subject, { ...o, signal, intake }), o.signal)
    return intake.all()
  }

  private async collect(subject: Subject, { intake, ...o }: PullOptions & { intake: Intake }): Promise<void> {
    const ids = new Set<string>()
    const asked = new Set<string>()
    let digests = [subject.sha256, ...(subject.sha512 === undefined ? [] : [subject.sha512])]
    for (let round = 0; digests.length > 0 && round < maxRounds; round++) {
      for (const digest of digests) asked.add(digest)
      const next = new Set<string>()
      for (const id of await this.about(digests, o)) {
        if (ids.has(id)) continue
        ids.add(id)
        intake.expect(0)
        for (const digest of materialDigests(await this.take(id, intake, o))) if (!asked.has(digest)) next.add(digest)
      }
      digests = [...next]
    }
  }

  /** Ids of the attestations that have one of these digests among their subjects. */
  private async about(digests: readonly string[], o: PullOptions): Promise<string[]> {
    const ids: string[] = []
    const signed = o.keyids === undefined ? {} : { hasSignaturesWith: [{ keyIDIn: o.keyids }] }
    for (let at = 0; at < digests.length; at += digestsPerQuery) {
      const valueIn = digests.slice(at, at + digestsPerQuery)
      ids.push(...(await this.find({ hasStatementWith: [{ hasSubjectsWith: [{ hasSubjectDigestsWith: [{ valueIn }] }] }], ...signed }, o)))
    }
    return ids
  }

  /** Content addresses of all envelopes that a filter names. */
  private async find(where: object, o: PullOptions = {}): Promise<string[]> {
    const ids: string[] = []
    let after: string | null = null
    for (let page = 0; page < 50; page++) {
      const body = new TextEncoder().encode(JSON.stringify({ query: search, variables: { where, after, first: pageSize } }))
      const answer = await this.call({ method: 'POST', path: 'query', body, limit: answerBytes }, o)
      if (answer.status !== 200) throw this.refused(answer, 'a query')
      const { data } = this.json(answer) as SearchAnswer
      const edges: unknown = data?.dsses?.edges
      if (!Array.isArray(edges)) throw this.foreign('it does not answer a query for attestations')
      for (const edge of edges as ({ node?: { gitoidSha256?: unknown } | null } | null)[]) {
        const id = edge?.node?.gitoidSha256
        if (typeof id === 'string' && /^[0-9a-f]{64}$/.test(id)) ids.push(id)
      }
      const { hasNextPage, endCursor } = data?.dsses?.pageInfo ?? {}
      if (hasNextPage !== true || typeof endCursor !== 'string') return ids
      after = endCursor
    }
    throw failed(this.base, `it has more than ${50 * pageSize} attestations about this subject`, 'name the key ids to look for')
  }

  /** Downloads an envelope and takes it in; what is no Statement is passed over. */
  private async take(id: string, intake: Intake, o: PullOptions): Promise<Metadata<Statement> | undefined> {
    const answer = await this.call({ method: 'GET', path: `download/${id}`, limit: intake.limits.fileBytes }, o)
    if (answer.status !== 200) throw this.refused(answer, 'a download')
    if (gitoid(answer.bytes) !== id)
      throw failed(this.base, `what it sends for ${id} has another content address`, 'check the server, it is damaged or lies')
    const metadata = statementIn(answer.bytes)
    if (metadata === undefined) {
      this.options.warn?.(
        problem({ code: 'E_FORMAT', severity: 'warning', message: `${this.reference}: passed over ${id}, which is not a Statement v1` }),
      )
      return undefined
    }
    intake.add(nameOf(metadata, id), answer.bytes)
    return metadata
  }

  private async call(o: Omit<Call, 'url'> & { path: string }, { signal }: PullOptions = {}): Promise<Answer> {
    const http = signal === undefined ? this.http : { ...this.http, signal }
    const { credentials } = this.options
    const authorization = credentials === undefined ? {} : { authorization: authorizationOf(credentials) }
    const headers = { ...(o.body === undefined ? {} : { 'content-type': 'application/json' }), ...authorization }
    const answer = await request({ ...o, headers, url: new URL(this.prefix + o.path, this.base) }, http)
    if (answer.status !== 404 || this.prefix === '') return answer
    const older = await request({ ...o, headers, url: new URL(o.path, this.base) }, http)
    if (older.status !== 404) this.prefix = ''
    return older
  }

  private json(answer: Answer): object {
    try {
      const value = JSON.parse(new TextDecoder().decode(answer.bytes)) as unknown
      if (typeof value === 'object' && value !== null) return value
    } catch {
      // said below
    }
    throw this.foreign('it answers with something else than JSON')
  }

  private foreign(reason: string): InTotoError {
    return new InTotoError({
      code: 'E_FORMAT',
      message: `${this.base.host}: ${reason}`,
      fix: 'check the address; the server needs its SQL store and GraphQL switched on',
    })
  }

  private refused(answer: Answer, what: string): InTotoError {
    const denied = answer.status === 401 || answer.status === 403
    return failed(
      this.base,
      `it refuses ${what} (status ${answer.status})`,
      denied ? 'give credentials, or check them' : 'check the address of the server, or try again later',
    )
  }
}

function authorizationOf(credentials: NonNullable<StoreOptions['credentials']>): string {
  if ('token' in credentials) return `Bearer ${credentials.token}`
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`
}

/** Archivista's content address: SHA-256 of a git blob. */
function gitoid(bytes: Uint8Array): string {
  return createHash('sha256').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

/** The envelopes of a file that can be uploaded, and why others cannot. */
function envelopesOf(file: EvidenceFile): { envelopes: Uint8Array[]; reason?: string } {
  if (statementIn(file.bytes) !== undefined) return { envelopes: [file.bytes] }
  const isLines = file.name.endsWith('.jsonl')
  const lines = isLines ? readLines(file.bytes).lines : []
  const envelopes = lines.filter(({ bytes }) => statementIn(bytes) !== undefined).map(({ bytes }) => bytes)
  if (isLines && lines.length > 0 && envelopes.length === lines.length) return { envelopes }
  return { envelopes, reason: isLines ? 'not all of its lines are Statements in plain envelopes' : 'not a Statement in a DSSE envelope' }
}

function statementIn(bytes: Uint8Array): Metadata<Statement> | undefined {
  try {
    const metadata = decodeMetadata(bytes)
    return isStatement(metadata.payload) ? (metadata as Metadata<Statement>) : undefined
  } catch {
    return undefined
  }
}

/** SHA-256 digests of what a step consumed: subjects of the steps before it. */
function materialDigests(metadata: Metadata<Statement> | undefined): string[] {
  const { predicateType, predicate } = metadata?.payload ?? {}
  const materials = predicateType === linkPredicateType ? predicate?.['materials'] : undefined
  return (Array.isArray(materials) ? materials : []).flatMap((material) => {
    const { sha256 } = (material as { digest?: { sha256?: unknown } } | null)?.digest ?? {}
    return typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256) ? [sha256] : []
  })
}

/** The name under which a verification looks for the link of a step; for all else, what it says and its address. */
function nameOf(metadata: Metadata<Statement>, id: string): string {
  const { predicateType, predicate } = metadata.payload
  const step = predicate?.['name']
  if (predicateType === linkPredicateType && typeof step === 'string') {
    const name = linkFileName(step, metadata.signatures[0]?.keyid ?? '')
    if (isLinkFileName(name) && isSafeName(name) && !name.includes('/')) return name
  }
  const [kind = 'statement'] = /[a-z_]+(?=\/v[\d.]+$)/.exec(predicateType) ?? []
  return `${kind}.${id.slice(0, 16)}.intoto.jsonl`
}
