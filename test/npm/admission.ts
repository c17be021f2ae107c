/**
 * A chain that makes an image, and what Kubernetes asks about it: called by the tests of the admission. The layout has three steps; the manifest is a
 * product of the second, and of the third, which looks at it.
 */
import { Ajv2020 } from 'ajv/dist/2020.js'
import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { decodeMetadata, memoryLinks, type Layout, type Metadata } from 'intoto'
import { createAdmissionHandler, type AdmissionLayout, type AdmissionOptions, type Decision } from 'intoto-npm/admission'
import { alice, bob, files, layout, linkFile, owner, sha256, signed, step } from '../intoto/world.ts'

export const manifest = '{"schemaVersion":2,"config":{},"layers":[]}'
export const digest = `sha256:${sha256(manifest)}`
export const good = `registry.example/team/app@${digest}`
/** A file of the sources, which could be a manifest. */
export const planted = '{"schemaVersion":2,"layers":[{"evil":true}]}'
export const bad = `registry.example/team/app@sha256:${'ab'.repeat(32)}`

const image = { [`image/blobs/sha256/${sha256(manifest)}`]: manifest, 'image/index.json': '{}' }

/** The links of an honest run, but for the command if that is said. */
export async function honestLinks(command = 'build'): Promise<Record<string, Uint8Array>> {
  const sources = files({ Dockerfile: 'FROM scratch', 'fixtures/manifest.json': planted })
  return Object.assign(
    {},
    await linkFile(alice, { name: 'source', products: sources }),
    await linkFile(bob, { name: 'image', materials: sources, products: files(image), command: [command] }),
    await linkFile(alice, { name: 'scan', materials: files(image), products: files(image) }),
  )
}

/** What the owner signs. */
export function chainLayout(changes: Record<string, unknown> = {}): object {
  return layout(
    [
      step('source', { products: ['REQUIRE Dockerfile', 'ALLOW *'] }),
      step('image', {
        by: [bob],
        command: ['build'],
        materials: ['REQUIRE Dockerfile', 'MATCH * WITH PRODUCTS FROM source', 'DISALLOW *'],
        products: ['CREATE image/*', 'DISALLOW *'],
      }),
      step('scan', {
        materials: ['REQUIRE image/index.json', 'MATCH image/* WITH PRODUCTS FROM image', 'DISALLOW *'],
        products: ['MATCH image/* WITH PRODUCTS FROM image', 'DISALLOW *'],
      }),
    ],
    changes,
  )
}

/** Signed by the owner. */
export async function ownersLayout(content: object = chainLayout()): Promise<Metadata<Layout>> {
  return decodeMetadata(await signed(content, [owner])) as Metadata<Layout>
}

/** One entry of the options; everything is promised by it unless said otherwise. */
export async function entry(changes: Partial<AdmissionLayout> = {}): Promise<AdmissionLayout> {
  return { for: ['*'], layout: await ownersLayout(), keys: [owner.key], evidence: [memoryLinks(await honestLinks())], ...changes }
}

/** A handler, and what it has logged. */
export function handlerOf(o: Partial<AdmissionOptions> & Pick<AdmissionOptions, 'layouts'>): Admission {
  const log: Decision[] = []
  const handle = createAdmissionHandler({ log: (decision) => void log.push(decision), ...o })
  return { handle, log, ask: (body, init) => ask(handle, body, init) }
}

export interface Admission {
  readonly handle: (request: Request) => Promise<Response>
  readonly log: Decision[]
  readonly ask: (body: unknown, init?: RequestInit) => Promise<Answered>
}

/** An answer, read. */
export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly body: any
}

/** Sends JSON, or whatever a test has in its place; `path` and all else as a request has it. */
export async function ask(handle: Admission['handle'], body: unknown, init: RequestInit & { path?: string } = {}): Promise<Answered> {
  const { path = '/', ...rest } = init
  const isRaw = typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream || body === null
  const request = new Request(`http://admission.example${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: isRaw ? (body as NonNullable<RequestInit['body']>) : JSON.stringify(body),
    duplex: 'half',
    ...rest,
  } as RequestInit)
  return read(await handle(request))
}

const schema = (name: string): object => JSON.parse(readFileSync(new URL(`../../packages/${name}`, import.meta.url), 'utf8')) as object
const formats = { 'date-time': (text: string) => !Number.isNaN(Date.parse(text)) }
const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, formats })
ajv.addSchema(schema('intoto/schema/report.schema.json'))
ajv.addSchema(schema('npm/schema/admission.schema.json'))
const isAnswer = ajv.getSchema('urn:intoto:admission:1#/$defs/answer')!
export const isQuestion = ajv.getSchema('urn:intoto:admission:1#/$defs/request')!

/** Every answer is JSON in one of the two forms, with no stack trace in it and nothing that would drive a terminal. */
export async function read(response: Response): Promise<Answered> {
  const text = await response.text()
  expect(response.headers.get('content-type')).toBe('application/json')
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(text).not.toMatch(/\n\s+at |node:internal|canary/)
  expect(text.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
  const body: any = JSON.parse(text)
  if (body.kind !== 'AdmissionReview') {
    void isAnswer(body)
    expect(isAnswer.errors ?? []).toEqual([])
    expect(body.allowed).toBe(response.status === 200)
    if (!body.allowed) expect(body.reasons).not.toEqual([])
  } else {
    expect(response.status).toBe(200)
    const { uid, allowed, status } = body.response
    expect([typeof uid, typeof allowed]).toEqual(['string', 'boolean'])
    if (!allowed)
      expect(status).toMatchObject({
        code: 403,
        reason: 'Forbidden',
        message: expect.stringMatching(/^not verified by in-toto\n./) as string,
      })
  }
  return { status: response.status, headers: response.headers, body }
}

/** A pod's specification with one container for each image. */
export function podSpec(...images: unknown[]): any {
  return { containers: images.map((one, i) => ({ name: `c${i}`, image: one })), restartPolicy: 'Always' }
}

const kinds: Readonly<Record<string, readonly [group: string, wrap: (spec: object) => object]>> = {
  Pod: ['', (spec) => ({ spec })],
  PodTemplate: ['', (spec) => ({ template: { spec } })],
  ReplicationController: ['', (spec) => ({ spec: { template: { spec } } })],
  Deployment: ['apps', (spec) => ({ spec: { template: { spec } } })],
  ReplicaSet: ['apps', (spec) => ({ spec: { template: { spec } } })],
  StatefulSet: ['apps', (spec) => ({ spec: { template: { spec } } })],
  DaemonSet: ['apps', (spec) => ({ spec: { template: { spec } } })],
  Job: ['batch', (spec) => ({ spec: { template: { spec } } })],
  CronJob: ['batch', (spec) => ({ spec: { jobTemplate: { spec: { template: { spec } } } } })],
}

export const kindNames: readonly string[] = Object.keys(kinds)

/** An object of a kind around a pod's specification. */
export function object(kind: string, spec: object, metadata: object = {}): any {
  const [group, wrap] = kinds[kind] ?? ['example.org', (inner: object) => ({ spec: inner })]
  return { apiVersion: group === '' ? 'v1' : `${group}/v1`, kind, metadata: { name: 'web', namespace: 'shop', ...metadata }, ...wrap(spec) }
}

/** A review of an object, as the API server sends it. */
export function review(of: any, changes: Record<string, unknown> = {}): any {
  const [group, version] = of.apiVersion.includes('/') ? of.apiVersion.split('/') : ['', of.apiVersion]
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind: { group, version, kind: of.kind },
      resource: { group, version, resource: `${of.kind.toLowerCase()}s` },
      requestKind: { group, version, kind: of.kind },
      name: 'web',
      namespace: 'shop',
      operation: 'CREATE',
      userInfo: { username: 'alice', groups: ['system:authenticated'] },
      object: of,
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      ...changes,
    },
  }
}
