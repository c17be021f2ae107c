/** Evidence in an OCI registry: what stands there afterwards, what comes back, and registries that lie. A real registry: test/interop. */
import { createHash } from 'node:crypto'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createLink, generateKeyPair, importSigner, sign, toStatement, utf8, type Problem, type Signer } from 'intoto'
import { openStore, toBundle, writeLines, type EvidenceFile, type StoreOptions } from 'intoto-npm'
import { account, startOci, type FakeRegistry } from './oci.ts'
import { refusal } from './refusal.ts'

let oci: FakeRegistry
let files: EvidenceFile[]
let signer: Signer
const sha256 = 'ab'.repeat(32)
const subject = { sha256, size: 1234 }
const digestOf = (bytes: Uint8Array | string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const open = (o: StoreOptions = {}) => openStore(`oci://${oci.host}/team/app`, o)
const texts = (list: readonly EvidenceFile[]): Record<string, string> =>
  Object.fromEntries(list.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()]))
interface Manifest {
  mediaType: string
  artifactType?: string
  config?: { mediaType: string; digest: string; size: number }
  layers?: { mediaType: string; digest: string; size: number; annotations?: Record<string, string> }[]
  subject?: { mediaType: string; digest: string; size: number }
  manifests?: { digest: string }[]
}
const manifests = (): Manifest[] => [...oci.manifests.values()].map(({ bytes }) => JSON.parse(bytes.toString()) as Manifest)

beforeAll(async () => {
  signer = await importSigner((await generateKeyPair()).privatePem)
  const link = createLink({ name: 'package', products: { 'a-1.0.0.tgz': { sha256 } } })
  const dsse = await sign(link, [signer])
  const statement = await sign(toStatement(link), [signer])
  files = [
    { name: 'package.c0ffee12.link', bytes: dsse.bytes },
    { name: 'package.metablock.link', bytes: (await sign(link, [signer], { format: 'metablock' })).bytes },
    { name: 'sub.c0ffee12/inner.c0ffee12.link', bytes: (await sign(createLink({ name: 'inner' }), [signer])).bytes },
    { name: 'package.sigstore.json', bytes: await toBundle(statement, signer.key) },
    { name: 'a-1.0.0.tgz.intoto.jsonl', bytes: writeLines([statement, dsse]) },
    { name: 'package.c0ffee12.json', bytes: utf8('-----BEGIN PUBLIC KEY-----\n') },
  ]
})
beforeEach(async () => {
  oci = await startOci()
  return () => oci.close()
})

describe.each([true, false])('with referrers API: %s', (referrersApi) => {
  beforeEach(() => {
    oci.referrersApi = referrersApi
  })

  it('gives back to the byte what was pushed', async () => {
    const { stored, skipped } = await open().push(files, subject)
    expect(stored.map(({ name }) => name)).toEqual(files.map(({ name }) => name))
    expect(stored.every(({ reference }) => oci.manifests.has(reference.split('@')[1]!))).toBe(true)
    expect(skipped).toEqual([])
    expect(texts(await open().pull(subject))).toEqual(texts(files))
    expect(oci.tags.has(`sha256-${sha256}`)).toBe(!referrersApi)
  })

  it('has nothing about other subjects', async () => {
    await open().push(files, subject)
    expect(await open().pull({ sha256: 'cd'.repeat(32) })).toEqual([])
  })

  it('pushes again without doubling anything, and adds', async () => {
    await open().push(files.slice(0, 2), subject)
    const before = oci.manifests.size
    await open().push(files.slice(0, 2), subject)
    expect(oci.manifests.size).toBe(before)
    await open().push(files.slice(1), subject)
    expect(texts(await open().pull(subject))).toEqual(texts(files))
  })

  it('writes artifacts as the image specification has them', async () => {
    await open().push(files, subject)
    const artifacts = manifests().filter((each) => each.subject !== undefined)
    expect(
      artifacts.map(({ artifactType, layers }) => [layers?.[0]?.annotations?.['org.opencontainers.image.title'], artifactType]),
    ).toEqual([
      ['package.c0ffee12.link', 'application/vnd.dsse.envelope.v1+json'],
      ['package.metablock.link', 'application/vnd.in-toto.metablock+json'],
      ['sub.c0ffee12/inner.c0ffee12.link', 'application/vnd.dsse.envelope.v1+json'],
      ['package.sigstore.json', 'application/vnd.dev.sigstore.bundle.v0.3+json'],
      ['a-1.0.0.tgz.intoto.jsonl', 'application/vnd.in-toto.bundle'],
      ['package.c0ffee12.json', 'application/vnd.in-toto.evidence'],
    ])
    for (const each of artifacts) {
      expect(each.subject).toEqual({ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: `sha256:${sha256}`, size: 1234 })
      expect(each.config).toEqual({ mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2 })
      expect(each.layers).toHaveLength(1)
      expect(each.layers?.[0]?.mediaType).toBe(each.artifactType)
    }
  })

  it('describes a subject that is in the repository as it is there', async () => {
    const type = 'application/vnd.oci.image.index.v1+json'
    const image = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: [] }))
    oci.manifests.set(digestOf(image), { bytes: image, type })
    await open().push(files.slice(0, 1), { sha256: digestOf(image).slice(7) })
    expect(manifests().at(referrersApi ? -1 : 1)?.subject).toEqual({ mediaType: type, digest: digestOf(image), size: image.length })
  })
})

it('reads lists of referrers page by page', async () => {
  oci.page = 2
  await open().push(files, subject)
  expect(texts(await open().pull(subject))).toEqual(texts(files))
  expect(oci.log.filter((line) => line.includes('/referrers/'))).toHaveLength(3)
})

it('asks for a handful of files at the same time, and not for more', async () => {
  const many = Array.from({ length: 20 }, (_, i) => ({ name: `s${i}.c0ffee12.link`, bytes: utf8(String(i)) }))
  await open().push(many, subject)
  let [now, most] = [0, 0]
  const counted: typeof fetch = async (input, init) => {
    most = Math.max(most, ++now)
    try {
      return await fetch(input, init)
    } finally {
      now--
    }
  }
  expect(texts(await open({ fetch: counted }).pull(subject))).toEqual(texts(many))
  expect(most).toBeGreaterThan(1)
  expect(most).toBeLessThanOrEqual(8)
})

it('keeps what two clients add to the fallback list at the same time', async () => {
  oci.referrersApi = false
  await Promise.all(files.map((each) => open().push([each], subject)))
  expect(texts(await open().pull(subject))).toEqual(texts(files))
})

it('says when the fallback list keeps nothing', async () => {
  oci.referrersApi = false
  oci.intercept = (request, response) => {
    if (request.method !== 'PUT' || request.url?.endsWith(`/sha256-${sha256}`) !== true) return false
    response.writeHead(201).end()
    return true
  }
  expect(await refusal(() => open().push(files, subject))).toMatchObject({
    code: 'E_IO',
    message: expect.stringContaining('does not keep'),
  })
})

describe('authentication', () => {
  it('basic', async () => {
    oci.auth = 'basic'
    expect(await refusal(() => open().push(files, subject))).toMatchObject({ code: 'E_IO', problem: { fix: ['give credentials for it'] } })
    expect((await refusal(() => open({ credentials: { ...account, password: 'canary-wrong' } }).pull(subject))).problem.fix[0]).toContain(
      'check the credentials',
    )
    await open({ credentials: account }).push(files, subject)
    expect(texts(await open({ credentials: account }).pull(subject))).toEqual(texts(files))
  })

  it('tokens: anybody pulls, who has an account pushes, one token for each', async () => {
    oci.auth = 'token'
    expect((await refusal(() => open().push(files, subject))).code).toBe('E_IO')
    oci.log.length = 0
    await open({ credentials: account }).push(files, subject)
    expect(oci.log.filter((line) => line.includes('/token')).map((line) => decodeURIComponent(line).replaceAll('+', ' '))).toEqual([
      'GET /token?service=fake registry&scope=repository:team/app:pull 200',
      'GET /token?service=fake registry&scope=repository:team/app:pull,push 200',
    ])
    expect(texts(await open().pull(subject))).toEqual(texts(files))
  })

  it('a token that is given', async () => {
    oci.auth = 'token'
    await open({ credentials: { token: 'fixed-token' } }).push(files, subject)
    expect(oci.log.some((line) => line.includes('/token'))).toBe(false)
    expect(texts(await open().pull(subject))).toEqual(texts(files))
  })

  it.each([
    ['Bearer realm="http://evil.example/token"', 'token service'],
    ['Bearer realm="file:///etc/passwd"', 'token service'],
    ['Bearer', 'token service'],
    ['Negotiate abc', 'refused'],
    ['', 'refused'],
  ])('a challenge %j is not answered', async (header, message) => {
    const asked: string[] = []
    const counted: typeof fetch = (input, init) => {
      asked.push(input instanceof URL ? input.host : String(input))
      return fetch(input, init)
    }
    oci.intercept = (_, response) => {
      response.writeHead(401, { 'www-authenticate': header }).end()
      return true
    }
    expect(await refusal(() => open({ credentials: account, fetch: counted }).pull(subject))).toMatchObject({
      code: 'E_IO',
      message: expect.stringContaining(message),
    })
    expect(new Set(asked)).toEqual(new Set([oci.host]))
  })

  it.each(['Bearer realm="https://attacker.example/token",service="s"', 'Basic realm="s"'])(
    'a challenge %j of where the registry redirects to is not answered',
    async (header) => {
      const asked: { host: string; authorization: string | null }[] = []
      const redirecting: typeof fetch = (input, init) => {
        const url = new URL(input instanceof Request ? input.url : input)
        asked.push({ host: url.host, authorization: new Headers(init?.headers).get('authorization') })
        const answer =
          url.host === 'registry.example'
            ? new Response(null, { status: 307, headers: { location: `https://cdn.other.example${url.pathname}` } })
            : new Response('{"token":"t"}', { status: url.pathname === '/token' ? 200 : 401, headers: { 'www-authenticate': header } })
        return Promise.resolve(answer)
      }
      const store = openStore('oci://registry.example/team/app', { credentials: account, fetch: redirecting })
      expect(await refusal(() => store.pull(subject))).toMatchObject({ code: 'E_IO', message: expect.stringContaining('refused') })
      expect(asked).toEqual([
        { host: 'registry.example', authorization: null },
        { host: 'cdn.other.example', authorization: null },
      ])
    },
  )

  it.each(['{}', '{"token":1}', 'no json', '{"token":"a\\r\\nx: y"}'])(
    'a token service that sends %j is no token service',
    async (body) => {
      oci.auth = 'token'
      oci.intercept = (request, response) => {
        if (request.url?.startsWith('/token') !== true) return false
        response.writeHead(200).end(body)
        return true
      }
      expect((await refusal(() => open().pull(subject))).code).toBe('E_FORMAT')
    },
  )
})

describe('a registry that lies', () => {
  const change = (path: RegExp, answer: (body: string) => string | Buffer): void => {
    oci.intercept = (request, response) => {
      const digest = path.exec(request.url ?? '')?.[1]
      if (request.method !== 'GET' || digest === undefined) return false
      const original = oci.manifests.get(digest)?.bytes ?? oci.blobs.get(digest) ?? Buffer.from('')
      response.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }).end(answer(original.toString()))
      return true
    }
  }

  it('about a blob is refused', async () => {
    await open().push(files.slice(0, 1), subject)
    change(/\/blobs\/(sha256:\w+)/, (body) => body.replace('p', 'q'))
    expect(await refusal(() => open().pull(subject))).toMatchObject({ code: 'E_IO', message: expect.stringContaining('another digest') })
    change(/\/blobs\/(sha256:\w+)/, (body) => `${body} `)
    expect((await refusal(() => open().pull(subject))).code).toBe('E_IO')
    change(/\/blobs\/(sha256:\w+)/, (body) => body.slice(1))
    expect((await refusal(() => open().pull(subject))).code).toBe('E_IO')
  })

  it('about a manifest is refused', async () => {
    await open().push(files.slice(0, 1), subject)
    change(/\/manifests\/(sha256:\w+)/, (body) => body.replace('package.c0ffee12', 'package.00000000'))
    expect((await refusal(() => open().pull(subject))).code).toBe('E_IO')
  })

  it('about what a manifest is about is passed over with a word', async () => {
    await open().push(files.slice(0, 1), { sha256: 'cd'.repeat(32) })
    const [digest, { bytes, type }] = [...oci.manifests].at(-1)!
    oci.intercept = (request, response) => {
      if (request.url?.includes('/referrers/') !== true) return false
      const manifest = { mediaType: type, digest, size: bytes.length }
      const gone = { mediaType: type, digest: digestOf('gone'), size: 4 }
      const junk = [null, 1, {}, { mediaType: type, digest: '../../etc', size: 1 }, { mediaType: type, digest, size: -1 }]
      response
        .writeHead(200, { 'content-type': 'application/vnd.oci.image.index.v1+json' })
        .end(JSON.stringify({ manifests: [...junk, manifest, gone] }))
      return true
    }
    const warnings: Problem[] = []
    expect(await open({ warn: (problem) => warnings.push(problem) }).pull(subject)).toEqual([])
    expect(warnings.map(({ message }) => message.replace(/.*which /, ''))).toEqual(['is about another subject', 'is listed and gone'])
  })

  const offer = (title: string, text: string): void => {
    const blob = Buffer.from(text)
    oci.blobs.set(digestOf(blob), blob)
    const layer = {
      mediaType: 'application/vnd.dsse.envelope.v1+json',
      digest: digestOf(blob),
      size: blob.length,
      annotations: { 'org.opencontainers.image.title': title },
    }
    const manifest = Buffer.from(
      JSON.stringify({
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        layers: [layer],
        subject: { mediaType: 'x', digest: `sha256:${sha256}`, size: 0 },
      }),
    )
    oci.manifests.set(digestOf(manifest), { bytes: manifest, type: 'application/vnd.oci.image.manifest.v1+json' })
  }

  it('about names cannot lead a writer astray', async () => {
    const names = ['../../evil', '/etc/passwd', '.npmrc', 'a\\b', '']
    for (const [i, name] of names.entries()) offer(name, String(i))
    offer('same.link', 'one')
    offer('same.link', 'two')
    const pulled = texts(await open().pull(subject))
    expect(Object.keys(pulled).every((name) => /^(?:[0-9a-f]{16}\.json|same\.link|[0-9a-f]{16}\/same\.link)$/.test(name))).toBe(true)
    expect(Object.values(pulled).toSorted()).toEqual(['0', '1', '2', '3', '4', 'one', 'two'])
  })

  it.each([
    'vite.config.mjs',
    'package.json',
    'binding.gyp',
    'owner.pub',
    'build',
    'c0ffee12.json',
    'node_modules/left-pad/index.js',
    'node_modules/x.c0ffee12.link',
    'build.c0ffee12/index.js',
    'build.link/x.c0ffee12.link',
  ])('about what evidence is called gives %s no place of that name', async (name) => {
    offer(name, 'planted')
    expect(texts(await open().pull(subject))).toEqual({ [`${digestOf('planted').slice(7, 23)}.json`]: 'planted' })
  })

  it('about a file that is a folder, too, leaves no name in the way of another', async () => {
    for (const name of ['build', 'build/x.link', 'x.c0ffee12.link', 'x.c0ffee12.link/y.c0ffee12.link']) offer(name, name)
    const names = Object.keys(texts(await open().pull(subject)))
    expect(names).toHaveLength(4)
    expect(names.filter((name) => names.some((other) => other.startsWith(`${name}/`)))).toEqual([])
  })

  it('about sizes is bounded before anything is fetched', async () => {
    await open().push(files, subject)
    for (const limits of [{ fileBytes: 100 }, { totalBytes: 1_000 }, { files: 3 }]) {
      oci.log.length = 0
      expect(await refusal(() => open({ limits }).pull(subject))).toMatchObject({
        code: 'E_IO',
        problem: { fix: [expect.stringContaining(Object.keys(limits)[0]!)] },
      })
      const fetched = oci.log
        .filter((line) => line.startsWith('GET') && line.includes('/blobs/'))
        .map((line) => oci.blobs.get(line.split(/\/blobs\/| /)[2]!)?.length ?? 0)
      expect(Math.max(0, ...fetched)).toBeLessThanOrEqual(limits.fileBytes ?? Number.MAX_SAFE_INTEGER)
      expect(fetched.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(limits.totalBytes ?? Number.MAX_SAFE_INTEGER)
      expect(fetched.length).toBeLessThanOrEqual(limits.files ?? Number.MAX_SAFE_INTEGER)
    }
  })

  it.each([
    ['a list on another host', { link: '<http://evil.example/next>; rel="next"' }],
    ['a list without end', { link: `</v2/team/app/referrers/sha256:${sha256}>; rel="next"` }],
  ])('%s is refused', async (_, headers) => {
    oci.intercept = (request, response) => {
      if (request.url?.includes('/referrers/') !== true) return false
      response.writeHead(200, { 'content-type': 'application/vnd.oci.image.index.v1+json', ...headers }).end('{"manifests":[]}')
      return true
    }
    const asked: string[] = []
    const counted: typeof fetch = (input, init) => {
      asked.push(input instanceof URL ? input.host : String(input))
      return fetch(input, init)
    }
    expect((await refusal(() => open({ fetch: counted }).pull(subject))).code).toBe('E_IO')
    expect(new Set(asked)).toEqual(new Set([oci.host]))
  })

  it('about where to upload gets neither evidence nor credentials', async () => {
    oci.auth = 'basic'
    const asked: string[] = []
    const counted: typeof fetch = (input, init) => {
      asked.push(input instanceof URL ? input.host : String(input))
      return fetch(input, init)
    }
    oci.intercept = (request, response) => {
      if (request.method !== 'POST') return false
      response.writeHead(202, { location: 'https://evil.example/upload' }).end()
      return true
    }
    expect((await refusal(() => open({ credentials: account, fetch: counted }).push(files, subject))).code).toBe('E_IO')
    expect(new Set(asked)).toEqual(new Set([oci.host]))
  })

  it.each(['<html>', '[]', '{"manifests":{}', 'null'])('by sending %j is no registry', async (body) => {
    oci.intercept = (_, response) => {
      response.writeHead(200).end(body)
      return true
    }
    expect((await refusal(() => open().pull(subject))).code).toBe('E_FORMAT')
  })

  it('and other artifacts are left alone', async () => {
    const sbom = Buffer.from('{}')
    oci.blobs.set(digestOf(sbom), sbom)
    const manifest = {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      artifactType: 'application/spdx+json',
      subject: { mediaType: 'x', digest: `sha256:${sha256}`, size: 0 },
      layers: [{ mediaType: 'application/spdx+json', digest: digestOf(sbom), size: 2 }],
    }
    const { artifactType: _, ...untyped } = manifest
    for (const each of [manifest, untyped, { ...untyped, artifactType: 'application/vnd.in-toto.evidence' }]) {
      const bytes = Buffer.from(JSON.stringify(each))
      oci.manifests.set(digestOf(bytes), { bytes, type: manifest.mediaType })
    }
    expect(await open().pull(subject)).toEqual([])
    expect(oci.log.filter((line) => line.includes('/blobs/'))).toEqual([])
  })
})

it('says when the registry refuses or fails', async () => {
  for (const [status, words] of [
    [403, 'refused'],
    [404, 'not there'],
    [500, 'status 500'],
  ] as const) {
    oci.intercept = (request, response) => {
      if (request.method !== 'POST') return false
      response.writeHead(status).end('canary: what a server says is not repeated')
      return true
    }
    expect(await refusal(() => open().push(files, subject))).toMatchObject({ code: 'E_IO', message: expect.stringContaining(words) })
  }
})
