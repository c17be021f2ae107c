/** What Kubernetes asks, and what somebody else could send in its place: kinds, operations, hostile requests, limits. The chain is sound in all of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryLinks, type LinkSource } from 'intoto'
import { parseImage, parsePackage } from '../../packages/npm/src/admission/reference.ts'
import {
  ask,
  bad,
  digest,
  entry,
  good,
  handlerOf,
  honestLinks,
  isQuestion,
  kindNames,
  object,
  podSpec,
  review,
  type Answered,
} from './admission.ts'
import { refusal } from './refusal.ts'

const layouts = [await entry()]
const { ask: send, log } = handlerOf({ layouts })
const allowed = async (body: unknown): Promise<boolean> => (await send(body)).body.response.allowed
const message = ({ body }: Answered): string => body.response.status.message

describe('kinds', () => {
  it.each(kindNames)('%s: all of its images decide, wherever they stand', async (kind) => {
    expect(await allowed(review(object(kind, podSpec(good))))).toBe(true)
    expect(await allowed(review(object(kind, podSpec(good, good, bad))))).toBe(false)
    for (const list of ['initContainers', 'ephemeralContainers'])
      for (const image of [good, bad])
        expect(await allowed(review(object(kind, { ...podSpec(good), [list]: [{ name: 'x', image }] }))), list).toBe(image === good)
    for (const reference of [good, bad])
      expect(
        await allowed(
          review(
            object(kind, {
              ...podSpec(good),
              volumes: [
                { name: 'v', image: { reference } },
                { name: 'w', emptyDir: {} },
              ],
            }),
          ),
        ),
      ).toBe(reference === good)
  })

  it.each<[what: string, of: object]>([
    ['a kind that is not known', object('Rollout', podSpec(good))],
    ['another version of one', { ...object('CronJob', podSpec(good)), apiVersion: 'batch/v1beta1' }],
    ['a list of containers that is not known', object('Pod', { ...podSpec(good), sidecarContainers: [] })],
    ['no containers', object('Pod', { containers: [] })],
    ['no template', { ...object('Deployment', {}), spec: {} }],
    ['a template that is none', { ...object('Deployment', {}), spec: { template: [podSpec(good)] } }],
    ['no spec', { ...object('Pod', {}), spec: null }],
    ['containers that are none', object('Pod', { containers: { web: { image: good } } })],
    ['a container that is none', object('Pod', { containers: [good] })],
    ['a container without image', object('Pod', { containers: [{ name: 'x' }] })],
    ['a container with an empty image', object('Pod', podSpec(''))],
    ['a container whose image is a list', object('Pod', podSpec([good]))],
    ['a container whose image is a number', object('Pod', podSpec(7))],
    ['a container without name', object('Pod', { containers: [{ image: good }] })],
    [
      'two containers of one name',
      object('Pod', {
        containers: [
          { name: 'x', image: good },
          { name: 'x', image: good },
        ],
      }),
    ],
    ['volumes that are none', object('Pod', { ...podSpec(good), volumes: 'v' })],
    ['an image volume without reference', object('Pod', { ...podSpec(good), volumes: [{ name: 'v', image: {} }] })],
    ['an image volume that is none', object('Pod', { ...podSpec(good), volumes: [{ name: 'v', image: good }] })],
  ])('%s is refused', async (_, of) => {
    const answered = await send(review(of))
    expect(message(answered)).toMatch(/\nE_(?:FORMAT|UNSUPPORTED) /)
  })

  it('an object of another kind than the review says is refused', async () => {
    const kind = { group: 'apps', version: 'v1', kind: 'Deployment' }
    expect(message(await send(review(object('Pod', podSpec(good)), { kind })))).toContain('of another kind')
    expect(
      await allowed(review({ ...object('Pod', podSpec(good)), apiVersion: 'v2' }, { kind: { group: '', version: 'v1', kind: 'Pod' } })),
    ).toBe(false)
  })

  it('the group of a pod may be left out, as Go does with what is empty', async () => {
    expect(await allowed(review(object('Pod', podSpec(good)), { kind: { version: 'v1', kind: 'Pod' } }))).toBe(true)
  })
})

describe('operations', () => {
  const pod = (image: unknown, more: object = {}, metadata: object = {}): any => object('Pod', { ...podSpec(image), ...more }, metadata)
  const update = (of: any, oldObject: any, more: object = {}): any => review(of, { operation: 'UPDATE', oldObject, ...more })
  const debug = (image: string): object => ({ ephemeralContainers: [{ name: 'debug', image }] })
  const gone = { deletionTimestamp: '2026-01-01T00:00:00Z' }

  it.each<[what: string, body: object, yes: boolean]>([
    ['DELETE starts nothing', review(pod(bad), { operation: 'DELETE', object: null, oldObject: pod(bad) }), true],
    ['DELETE of what is not known', review(object('Rollout', podSpec(bad)), { operation: 'DELETE' }), true],
    ['CONNECT is none of ours', review({ ...pod(good), kind: 'PodExecOptions' }, { operation: 'CONNECT', subResource: 'exec' }), false],
    ['an operation that is not known', review(pod(good), { operation: 'PATCH' }), false],
    ['an operation in lower case', review(pod(good), { operation: 'delete' }), false],
    ['no operation', review(pod(good), { operation: undefined }), false],
    ['an operation that is none', review(pod(good), { operation: ['DELETE'] }), false],
    ['UPDATE to a good image', update(pod(good), pod(bad)), true],
    ['UPDATE to a bad image', update(pod(bad), pod(good)), false],
    ['UPDATE that swaps the images of two containers', update(object('Pod', podSpec(bad, good)), object('Pod', podSpec(good, bad))), false],
    ['UPDATE of a pod that keeps its images', update(pod(bad, {}, { labels: { a: 'b' } }), pod(bad)), true],
    ['UPDATE of a deployment that keeps its images', update(object('Deployment', podSpec(bad)), object('Deployment', podSpec(bad))), false],
    ['UPDATE without what was there', update(pod(good), null), false],
    ['UPDATE of another kind than what was there', update(pod(good), object('Deployment', podSpec(good))), false],
    ['UPDATE of what is being deleted', update(object('Deployment', podSpec(bad)), object('Deployment', podSpec(bad), gone)), true],
    ['UPDATE that only claims to be deleted', update(object('Deployment', podSpec(bad), gone), object('Deployment', podSpec(bad))), false],
    ['CREATE that claims to be deleted', review(pod(bad, {}, gone), { oldObject: pod(bad, {}, gone) }), false],
    ['a status', update(object('Deployment', podSpec(bad)), object('Deployment', podSpec(bad)), { subResource: 'status' }), true],
    ['CREATE of a status', review(pod(good), { subResource: 'status' }), false],
    ['a good container for debugging', update(pod(bad, debug(good)), pod(bad), { subResource: 'ephemeralcontainers' }), true],
    ['a bad container for debugging', update(pod(good, debug(bad)), pod(good), { subResource: 'ephemeralcontainers' }), false],
    ['another size', update(pod(bad), pod(bad), { subResource: 'resize' }), true],
    [
      'a scale',
      review({ apiVersion: 'autoscaling/v1', kind: 'Scale', spec: { replicas: 9 } }, { operation: 'UPDATE', subResource: 'scale' }),
      false,
    ],
    ['a subresource that is not known', update(pod(good), pod(good), { subResource: 'teleport' }), false],
    ['a subresource that is none', update(pod(good), pod(good), { subResource: { length: 0 } }), false],
    ['a trial', review(pod(bad), { dryRun: true }), false],
  ])('%s', async (_, body, yes) => {
    expect(await allowed(body)).toBe(yes)
  })

  it('each image is judged once, named in the answer with what is wrong with it, and logged in one line', async () => {
    const other = `registry.example/other@${digest.replace(/...$/, 'fff')}`
    const answered = await send(
      review(object('Deployment', podSpec(good, bad, bad, other, 'registry.example/app:1')), { name: 'evil\u001b[2J\nname' }),
    )
    expect(message(answered).split('\n')).toHaveLength(4)
    for (const image of [bad, other, 'registry.example/app:1']) expect(message(answered)).toContain(image)
    expect(log.at(-1)).toMatchObject({
      allowed: false,
      status: 200,
      asked: 'CREATE Deployment shop/evil\\u{1b}[2J\\u{a}name',
      subjects: [good, bad, other, 'registry.example/app:1'],
    })
  })

  it('warnings of the verification are passed on', async () => {
    const admission = handlerOf({
      layouts: [await entry({ commandMismatch: 'warn', evidence: [memoryLinks(await honestLinks('built'))] })],
    })
    const { response } = (await admission.ask(review(object('Pod', podSpec(good))))).body
    expect(response.allowed).toBe(true)
    expect(response.warnings).toEqual([expect.stringMatching(/^E_COMMAND /)])
  })
})

describe('what is no review, and no request', () => {
  const pod = review(object('Pod', podSpec(good)))
  const text = JSON.stringify(pod)
  const withRequest = (request: unknown): object => ({ ...pod, request })

  it.each<[what: string, body: unknown, status: number]>([
    ['another apiVersion', { ...pod, apiVersion: 'admission.k8s.io/v1beta1' }, 400],
    ['an apiVersion that is none', { ...pod, apiVersion: ['admission.k8s.io/v1'] }, 400],
    ['no apiVersion', { ...pod, apiVersion: undefined }, 400],
    ['another kind', { ...pod, kind: 'ConversionReview' }, 400],
    ['no request', withRequest(undefined), 400],
    ['a request that is none', withRequest([pod.request]), 400],
    ['no uid', withRequest({ ...pod.request, uid: undefined }), 400],
    ['an empty uid', withRequest({ ...pod.request, uid: '' }), 400],
    ['a uid that is a number', withRequest({ ...pod.request, uid: 7 }), 400],
    ['a uid that is an object', withRequest({ ...pod.request, uid: { toString: 'x' } }), 400],
    ['a uid that would drive a terminal', withRequest({ ...pod.request, uid: 'a\u001b[2J' }), 400],
    ['a uid that is too long', withRequest({ ...pod.request, uid: 'a'.repeat(200) }), 400],
    ['a member that stands twice', text.replace('"uid":', '"uid":"other","uid":'), 400],
    ['an image that stands twice', text.replace('"image":', `"image":${JSON.stringify(bad)},"image":`), 400],
    ['one that stands twice under another spelling', text.replace('"image":', `"im\\u0061ge":${JSON.stringify(bad)},"image":`), 400],
    ['text behind the end', `${text}{}`, 400],
    ['half of it', text.slice(0, -9), 400],
    ['nothing', '', 400],
    ['no body', null, 400],
    ['a list', [pod], 400],
    ['null', 'null', 400],
    ['a number', '7', 400],
    ['an empty object', {}, 400],
    ['no UTF-8', Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xff]), Buffer.from('}')]), 400],
    ['UTF-16', Buffer.from(text, 'utf16le'), 400],
    ['a byte order mark', `\ufeff${text}`, 400],
    ['half a surrogate pair', text.replace('"web"', '"\\ud800"'), 400],
    ['100,000 levels', '['.repeat(100_000), 400],
    ['500,000 values', `[${'0,'.repeat(500_000)}0]`, 400],
    ['5 MB', JSON.stringify({ image: 'a'.repeat(5_000_000) }), 413],
    ['an image and a package', { image: good, package: 'lib@1.0.0' }, 400],
    ['an image that is none', { image: { toString: good } }, 400],
    ['a list of images', { image: [good] }, 400],
    ['a member more', { image: good, force: true }, 400],
    ['names that objects inherit', `{"__proto__":{"image":${JSON.stringify(good)}},"constructor":1}`, 400],
    ['an integrity of an image', { image: good, integrity: `sha512-${'a'.repeat(86)}==` }, 400],
    ['an integrity that is none', { package: 'lib@1.0.0', integrity: 'sha1-x' }, 400],
  ])('%s', async (_, body, status) => {
    const answered = await send(body)
    expect([answered.status, answered.body.allowed], JSON.stringify(answered.body)).toEqual([status, false])
    expect(isQuestion(typeof body === 'string' ? undefined : body)).toBe(false)
    expect(log.at(-1)).toMatchObject({ allowed: false, status })
    expect(log.at(-1)).not.toHaveProperty('error')
  })

  it.each<[what: string, body: unknown]>([
    [
      'names that objects inherit',
      JSON.stringify(pod).replace('"containers":', '"__proto__":{"containers":[]},"constructor":{"containers":[]},"containers":'),
    ],
    ['members of other readers', review(object('Pod', { ...podSpec(good), Containers: [{ name: 'x', image: good }] }))],
    ['10,000 containers', review(object('Pod', podSpec(...Array.from({ length: 10_000 }, () => good))))],
    ['10,000 images', review(object('Pod', podSpec(...Array.from({ length: 10_000 }, (_, i) => `registry.example/a${i}@${digest}`))))],
    ['junk for an object', review(object('Pod', podSpec(good)), { object: { apiVersion: 'v1', kind: 'Pod', spec: [[[[{}]]]] } })],
    ['no object', review(object('Pod', podSpec(good)), { object: null })],
    ['no kind', review(object('Pod', podSpec(good)), { kind: null })],
    ['a kind of numbers', review(object('Pod', podSpec(good)), { kind: { group: 1, version: 2, kind: 3 } })],
  ])('%s: answered under its uid', async (what, body) => {
    const answered = await send(body)
    expect(answered.body.response).toMatchObject({
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      allowed: what === 'names that objects inherit',
    })
  })

  it.each<[init: RequestInit & { path?: string }, status: number]>([
    [{ method: 'GET', body: null }, 405],
    [{ method: 'HEAD', body: null }, 405],
    [{ method: 'PUT' }, 405],
    [{ method: 'DELETE' }, 405],
    [{ headers: {} }, 415],
    [{ headers: { 'content-type': 'text/plain' } }, 415],
    [{ headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 415],
    [{ headers: { 'content-type': 'application/json; charset=utf-16' } }, 415],
    [{ headers: { 'content-type': 'application/json', 'content-length': '99999999' } }, 413],
    [{ headers: { 'content-type': 'application/json; charset=UTF-8' } }, 200],
    [{ path: '/any/path?timeout=30s' }, 200],
  ])('%j: %i', async (init, status) => {
    const answered = await send({ image: good }, init)
    expect(answered.status).toBe(status)
    if (status === 405) expect(answered.headers.get('allow')).toBe('POST')
  })

  it('junk in any place of a review never makes a yes of a no, and is always answered', async () => {
    const body = review(object('Deployment', podSpec(good, bad, good)))
    const junk = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('', 'Pod', 'status', 'UPDATE', 'v1', 'apps', [], {}, null, [{}], { image: good, name: 'x' }),
    )
    const places = placesIn(body)
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), junk, async (place, value) => {
        const changed = structuredClone(body)
        place.slice(0, -1).reduce((at: any, name) => at[name], changed)[place.at(-1)!] = value
        const answered = await send(changed)
        const yes = answered.body.allowed ?? answered.body.response.allowed
        // a yes is one about what is left: the bad image is gone
        if (yes) expect(JSON.stringify(changed)).not.toContain(bad)
      }),
      { numRuns: 150 },
    )
    expect(log.some(({ error }) => error !== undefined)).toBe(false)
  })
})

/** Paths to every member and entry. */
function placesIn(value: any, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return []
  return Object.keys(value).flatMap((name) => [[...path, name], ...placesIn(value[name], [...path, name])])
}

describe('references', () => {
  it.each<[text: string, name: string]>([
    [`registry.example/app@${digest}`, 'registry.example/app'],
    [`registry.example:5000/a/b-c/d__e.f@${digest}`, 'registry.example:5000/a/b-c/d__e.f'],
    [`localhost/app@${digest}`, 'localhost/app'],
    [`127.0.0.1:5000/app:1.0-rc.1_x@${digest}`, '127.0.0.1:5000/app'],
    [`[fd00::1]:5000/app@${digest}`, '[fd00::1]:5000/app'],
    [`REGISTRY.example/app:V1@${digest}`, 'registry.example/app'],
  ])('%s', (text, name) => {
    expect(parseImage(text)).toEqual({ kind: 'image', text, name, sha256: digest.slice(7) })
  })

  it.each([
    'app',
    'team/app',
    `team/app@${digest}`,
    `App@${digest}`,
    'registry.example/App',
    `registry.example/App@${digest}`,
    `registry.example//app@${digest}`,
    `registry.example/app/@${digest}`,
    `/app@${digest}`,
    `registry.example/../app@${digest}`,
    `https://registry.example/app@${digest}`,
    `alice:secret@registry.example/app@${digest}`,
    `registry.example/app @${digest}`,
    ` registry.example/app@${digest}`,
    `registry.example/app@${digest} `,
    `registry.example/app@${digest}\n`,
    `registry.example/app\u0000@${digest}`,
    `registry.example/app@${digest.toUpperCase()}`,
    `registry.example/app@sha256:${'AB'.repeat(32)}`,
    `registry.example/app@${digest}0`,
    `registry.example/app@${digest.slice(0, -1)}`,
    `registry.example/app@${digest}@${digest}`,
    `registry.example/app@`,
    `registry.example/app:@${digest}`,
    `registry.example/app:a:b@${digest}`,
    `registry.example/app:${'a'.repeat(129)}@${digest}`,
    `registry.example:/app@${digest}`,
    `registry.example:port/app@${digest}`,
    `-registry.example/app@${digest}`,
    `registry..example/app@${digest}`,
    `registry.example/${'a'.repeat(255)}@${digest}`,
    `registry.example/аpp@${digest}`,
    `${'a'.repeat(100_000)}.example/app@${digest}`,
    digest,
    `@${digest}`,
    `docker-pullable://registry.example/app@${digest}`,
  ])('%j is refused', async (text) => {
    const error = await refusal(() => parseImage(text))
    expect(error.code).toMatch(/^E_(?:FORMAT|PRODUCT)$/)
    expect(error.problem.fix).not.toEqual([])
    expect(error.message.length).toBeLessThan(400)
  })

  it('whatever the text, it is one image by digest or a refusal', () => {
    const piece = fc.constantFrom(
      'registry.example',
      'app',
      '/',
      ':',
      '@',
      digest,
      'sha256:',
      '5000',
      '.',
      '-',
      '_',
      'A',
      ' ',
      '\n',
      '%',
      '..',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 9 }), (pieces) => {
        const text = pieces.join('')
        try {
          const { name, sha256: hex } = parseImage(text)
          expect(text.endsWith(`@sha256:${hex}`)).toBe(true)
          expect(text.toLowerCase().startsWith(name)).toBe(true)
          expect(name).toMatch(/^[a-z0-9.:-]+(?:\/[a-z0-9._-]+)+$/)
        } catch (error) {
          expect((error as { code?: string }).code).toMatch(/^E_/)
        }
      }),
      { numRuns: 3_000 },
    )
  })

  it.each([
    'lib',
    '@1.0.0',
    'lib@',
    'lib@latest',
    'lib@1',
    'lib@1.0.0 ',
    'li b@1.0.0',
    '@scope@1.0.0',
    '@a/b/c@1.0.0',
    '..@1.0.0',
    '@x/..@1.0.0',
    'npm:npm:lib@1.0.0',
    `${'a'.repeat(300)}@1.0.0`,
  ])('the package %j is refused', async (text) => {
    expect((await refusal(() => parsePackage(text))).code).toMatch(/^E_(?:FORMAT|PRODUCT)$/)
  })

  it('packages, with scope and without', () => {
    expect(parsePackage('npm:@scope/lib@1.0.0-rc.1+build')).toMatchObject({
      name: 'npm:@scope/lib',
      packageName: '@scope/lib',
      version: '1.0.0-rc.1+build',
    })
    expect(parsePackage('lib@1.0.0', 'sha512-x')).toMatchObject({ text: 'npm:lib@1.0.0', integrity: 'sha512-x' })
  })
})

describe('limits', () => {
  /** A source that does not answer before it is told to. */
  function slowLinks(): { links: LinkSource; release: () => void; asked: () => number } {
    let release = (): void => {}
    let asked = 0
    const open = new Promise<void>((done) => (release = done))
    const wait = async (): Promise<[]> => {
      asked++
      await open
      return []
    }
    const links: LinkSource = { get: wait, list: wait, within: () => links }
    return { links, release, asked: () => asked }
  }

  it('no verdict in time is a refusal, in a review and in a question, and later ones are answered as ever', async () => {
    const slow = slowLinks()
    const slowly = await entry({ for: ['slow.example/*'], evidence: [slow.links] })
    const { ask } = handlerOf({ layouts: [slowly, await entry()], limits: { timeout: 150, verdicts: 2 } })
    const image = `slow.example/app@${digest}`
    const answers = await Promise.all([ask({ image }), ask(review(object('Pod', podSpec(image)))), ask({ image }), ask({ image: good })])
    expect(answers.map(({ body }) => body.allowed ?? body.response.allowed)).toEqual([false, false, false, false])
    expect(answers[0].body.reasons[0]).toMatch(/^E_IO no verdict within 150 ms/)
    expect(message(answers[1])).toContain('E_IO')
    // the places are free again when the work that nobody waits for has ended
    slow.release()
    await sleep(20)
    expect((await ask({ image: good })).status).toBe(200)
  })

  it('Kubernetes’ own patience counts where it is shorter', async () => {
    const slow = slowLinks()
    const { ask } = handlerOf({ layouts: [await entry({ evidence: [slow.links] })] })
    const { body } = await ask({ image: good }, { path: '/validate?timeout=1s' } as RequestInit)
    expect(body.reasons[0]).toContain('no verdict within 900 ms')
    slow.release()
  })

  it('so many verdicts at a time, the others wait in their order', async () => {
    const slow = slowLinks()
    const { ask } = handlerOf({ layouts: [await entry({ evidence: [slow.links] })], limits: { verdicts: 3, timeout: 60_000 } })
    const all = Array.from({ length: 9 }, () => ask({ image: good }))
    await sleep(50)
    expect(slow.asked()).toBe(3)
    slow.release()
    expect((await Promise.all(all)).map(({ status }) => status)).toEqual(Array(9).fill(403))
  })

  it('so many requests at a time, the others are told to come again', async () => {
    const slow = slowLinks()
    const { ask } = handlerOf({ layouts: [await entry({ evidence: [slow.links] })], limits: { requests: 2, timeout: 60_000 } })
    const held = [ask({ image: good }), ask({ image: good })]
    const third = await ask({ image: good })
    expect([third.status, third.headers.get('retry-after'), third.body.reasons[0]]).toEqual([
      503,
      '1',
      expect.stringContaining('(requests)'),
    ])
    slow.release()
    await Promise.all(held)
    expect((await ask({ image: good })).status).toBe(403)
  })

  /** A body that never ends. */
  const endless = (piece: Uint8Array, pause?: number): ReadableStream =>
    new ReadableStream({
      async pull(controller) {
        if (pause !== undefined) await sleep(pause)
        controller.enqueue(piece)
      },
    })

  it('a body without end ends at the limit, one that comes slowly at the time', async () => {
    const { ask } = handlerOf({ layouts, limits: { bodyBytes: 10_000, timeout: 300 } })
    expect((await ask(endless(new Uint8Array(999)))).status).toBe(413)
    expect((await ask(endless(Uint8Array.of(0x20)))).status).toBe(413)
    expect((await ask(endless(Uint8Array.of(0x20), 50))).status).toBe(408)
    expect((await ask({ image: good })).status).toBe(200)
  })

  it('all bodies together have a limit, too, and what is refused is given back', async () => {
    const { ask } = handlerOf({ layouts, limits: { bodyBytes: 10_000, pendingBytes: 25_000, timeout: 400 } })
    const slowly = (): ReadableStream => {
      let first = true
      return new ReadableStream({
        async pull(controller) {
          if (!first) await sleep(10_000)
          first = false
          controller.enqueue(new Uint8Array(9_000))
        },
      })
    }
    const statuses = await Promise.all([ask(slowly()), ask(slowly()), ask(slowly())])
    expect(statuses.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([408, 408, 503])
    expect((await ask({ image: good })).status).toBe(200)
  })

  it('a body that breaks off is a refusal', async () => {
    const broken = new ReadableStream({ pull: (controller) => controller.error(new Error('canary')) })
    expect((await send(broken)).status).toBe(400)
    const texts = new ReadableStream({ pull: (controller) => controller.enqueue('{}') })
    expect((await send(texts)).status).toBe(400)
  })

  it('more containers than the limit are refused, and the limit is named', async () => {
    const { handle } = handlerOf({ layouts, limits: { containers: 2 } })
    expect((await ask(handle, review(object('Pod', podSpec(good, good))))).body.response.allowed).toBe(true)
    expect(message(await ask(handle, review(object('Pod', podSpec(good, good, good)))))).toContain('the limit of 2')
  })
})
