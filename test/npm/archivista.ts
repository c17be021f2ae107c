/**
 * Archivista's interface on loopback, after its routes and GraphQL schema: upload, download by content address, search by digests of subjects and by
 * key ids. Like the real one it verifies no signature, fails on what is no Statement and on a second upload, and pages its answers.
 */
import { createHash } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import { answering, closeServer, listen } from './registry.ts'

/** The filters that are understood: those of `DsseWhereInput` that its documentation searches by. */
interface Where {
  gitoidSha256?: string
  hasStatementWith?: [{ hasSubjectsWith: [{ hasSubjectDigestsWith: [{ valueIn: string[] }] }] }]
  hasSignaturesWith?: [{ keyIDIn: string[] }]
}

/** The running server, and what it has. */
export interface FakeArchivista {
  url: string
  envelopes: Map<string, Buffer>
  /** Older servers know no `/v1`. */
  versioned: boolean
  token?: string
  page: number
  log: string[]
  /** Changes what is sent for a download. */
  tamper?: (bytes: Buffer) => Buffer
  close: () => Promise<void>
}

interface Statement {
  _type?: string
  subject?: { digest: Record<string, string> }[]
}

/** Starts a server without attestations. */
export async function startArchivista(): Promise<FakeArchivista> {
  const server = createServer(
    answering((request, response, body) => {
      response.on('finish', () => fake.log.push(`${request.method} ${request.url} ${response.statusCode}`))
      if (fake.token !== undefined && request.headers.authorization !== `Bearer ${fake.token}`) return end(response, 401)
      const path = (request.url ?? '').replace(/^\/v1(?=\/)/, () => (fake.versioned ? '' : '/none'))
      if (path === '/upload' && request.method === 'POST') upload(fake, response, body)
      else if (path === '/query' && request.method === 'POST') query(fake, response, body)
      else if (path.startsWith('/download/') && request.method === 'GET') {
        const bytes = fake.envelopes.get(path.slice('/download/'.length))
        if (bytes === undefined) end(response, 500, 'no such file')
        else end(response, 200, fake.tamper?.(bytes) ?? bytes)
      } else end(response, 404)
    }),
  )
  const fake: FakeArchivista = {
    url: '',
    envelopes: new Map(),
    versioned: true,
    page: 100,
    log: [],
    close: () => closeServer(server),
  }
  fake.url = await listen(server)
  return fake
}

function end(response: ServerResponse, status: number, body: string | Uint8Array = ''): void {
  response.writeHead(status)
  response.end(body)
}

/** The content address of a git blob. */
export function gitoid(bytes: Uint8Array): string {
  return createHash('sha256').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

const payloadOf = (bytes: Buffer): Statement => {
  const { payload } = JSON.parse(bytes.toString()) as { payload: string }
  return JSON.parse(Buffer.from(payload, 'base64').toString()) as Statement
}

function upload(fake: FakeArchivista, response: ServerResponse, body: Buffer): void {
  try {
    const id = gitoid(body)
    if (!payloadOf(body)._type?.startsWith('https://in-toto.io/Statement/')) throw new Error('no statement')
    if (fake.envelopes.has(id)) throw new Error('UNIQUE constraint failed: dsses.gitoid_sha256')
    fake.envelopes.set(id, body)
    end(response, 200, JSON.stringify({ gitoid: id }))
  } catch (error) {
    end(response, 500, String(error))
  }
}

function query(fake: FakeArchivista, response: ServerResponse, body: Buffer): void {
  const { query: text, variables } = JSON.parse(body.toString()) as {
    query: string
    variables: { where: Where; first: number; after: string | null }
  }
  if (!/query \(\$where: DsseWhereInput, \$first: Int, \$after: Cursor\)/.test(text))
    return end(response, 422, JSON.stringify({ errors: [{ message: 'bad query' }], data: null }))
  const found = [...fake.envelopes].filter(([id, bytes]) => matches(id, bytes, variables.where)).map(([id]) => id)
  const from = variables.after === null ? 0 : Number(variables.after)
  const to = from + Math.min(variables.first, fake.page)
  const dsses = {
    edges: found.slice(from, to).map((gitoidSha256) => ({ node: { gitoidSha256 } })),
    pageInfo: { hasNextPage: to < found.length, endCursor: String(to) },
  }
  end(response, 200, JSON.stringify({ data: { dsses } }))
}

function matches(id: string, bytes: Buffer, where: Where): boolean {
  const { signatures } = JSON.parse(bytes.toString()) as { signatures: { keyid: string }[] }
  const wanted = where.hasStatementWith?.[0].hasSubjectsWith[0].hasSubjectDigestsWith[0].valueIn
  const digests = payloadOf(bytes).subject?.flatMap(({ digest }) => Object.values(digest)) ?? []
  return (
    (where.gitoidSha256 === undefined || where.gitoidSha256 === id) &&
    (wanted === undefined || digests.some((digest) => wanted.includes(digest))) &&
    (where.hasSignaturesWith === undefined || signatures.some(({ keyid }) => where.hasSignaturesWith?.[0].keyIDIn.includes(keyid)))
  )
}
