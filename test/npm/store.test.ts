/** What holds for every store: addresses, names, limits; and the store that is a folder. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { InTotoError, utf8 } from 'intoto'
import { isSafeName, openStore, type EvidenceFile } from 'intoto-npm'
import { refusal } from './refusal.ts'
import { closeServer, listen } from './registry.ts'

const subject = { sha256: 'ab'.repeat(32) }
const file = (name: string, text = name): EvidenceFile => ({ name, bytes: utf8(text) })
const texts = (files: readonly EvidenceFile[]): Record<string, string> =>
  Object.fromEntries(files.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()]))

describe('openStore', () => {
  it.each([
    '',
    'dir:',
    'evidence',
    's3://bucket',
    'https://host.example',
    'oci://',
    'oci://host.example',
    'oci://host.example/',
    'oci://host.example/UPPER',
    'oci://host.example/team/app:latest',
    'oci://host.example/team/../app',
    'oci://host.example/team/app@sha256:00',
    'oci://alice:s3cret@host.example/app',
    'oci://alice@host.example/app',
    'archivista+ftp://host.example',
    'archivista+https://',
    'archivista+https://alice:s3cret@host.example',
    'archivista+http://host.example',
    'archivista+http://127.0.0.1.example',
    'archivista+http://10.0.0.1',
    'devguard+https://[/team/app',
    'devguard+https://alice:s3cret@devguard.example/team/app',
  ])('refuses %j, and prints no password', async (reference) => {
    const error = await refusal(() => openStore(reference))
    expect(error.code).toBe('E_CONFIG')
    expect(error.problem.fix).not.toEqual([])
    expect(JSON.stringify(error.problem)).not.toContain('s3cret')
  })

  it.each([
    'dir:evidence',
    'oci://registry.example/team/app',
    'oci://127.0.0.1:5000/app',
    'archivista+https://a.example/base',
    'archivista+http://localhost:8082',
  ])('takes %s, and asks nobody yet', (reference) => {
    const refuse = (): never => {
      throw new Error('asked')
    }
    expect(openStore(reference, { fetch: refuse }).reference).toBe(reference)
  })
})

describe('isSafeName', () => {
  it.each([
    'build.c0ffee12.link',
    'a/b/c.link',
    'root.layout',
    'owner.pub',
    'post-commit.00000000.link',
    'with space.link',
    '_x',
    '@acme/thing.link',
  ])('%s may be written', (name) => {
    expect(isSafeName(name)).toBe(true)
  })

  it.each([
    '',
    '/etc/passwd',
    '../x',
    'a/../b',
    'a//b',
    './a',
    'a/',
    '.npmrc',
    'a/.git/config',
    'C:\\x',
    'a\\b',
    'a:b',
    'a\0b',
    'a\nb',
    'x.',
    'x ',
    'a'.repeat(201),
    'a/'.repeat(20) + 'b',
    '\u202egpj.link',
    '-'.repeat(600),
  ])('%j may not', (name) => {
    expect(isSafeName(name)).toBe(false)
  })
})

describe.each(['oci://registry.example/team/app', 'archivista+https://archivista.example'])('a pull from %s', (reference) => {
  const silent: typeof fetch = (_, init) =>
    new Promise((_resolve, reject) => {
      if (init?.signal?.aborted === true) reject(init.signal.reason as Error)
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error))
    })

  it('ends when nobody waits for it any more', async () => {
    const store = openStore(reference, { fetch: silent })
    for (const given of [AbortSignal.timeout(20), AbortSignal.abort()]) {
      const error = await refusal(() => store.pull(subject, { signal: given }))
      expect([error.code, error.problem.fix.length]).toEqual(['E_IO', 1])
    }
    const why = new InTotoError({ code: 'E_IO', message: 'enough' })
    expect(await refusal(() => store.pull(subject, { signal: AbortSignal.abort(why) }))).toBe(why)
  })

  it('has an end, and says by which limit', async () => {
    expect(await refusal(() => openStore(reference, { fetch: silent, limits: { milliseconds: 20 } }).pull(subject))).toMatchObject({
      code: 'E_IO',
      message: `${reference} sends what it has about this subject for more than 20 ms`,
      problem: { fix: [expect.stringContaining('"milliseconds"')] },
    })
  })
})

describe('dir:', () => {
  const root = mkdtempSync(join(tmpdir(), 'intoto-store-'))
  afterAll(() => rmSync(root, { recursive: true, force: true }))
  let count = 0
  const store = (o = {}): { path: string; store: ReturnType<typeof openStore> } => {
    const path = join(root, String(count++))
    return { path, store: openStore(`dir:${path}`, o) }
  }

  it('gives back what it was given, by subject', async () => {
    const { path, store: folder } = store()
    const files = [file('build.c0ffee12.link'), file('build.c0ffee12/compile.77aa0c31.link'), file('root.layout')]
    const { stored, skipped } = await folder.push(files, subject)
    expect(stored.map(({ name, reference }) => [name, readFileSync(reference, 'utf8')])).toEqual(files.map(({ name }) => [name, name]))
    expect(skipped).toEqual([])
    expect(texts(await folder.pull(subject))).toEqual(texts(files))
    expect(await folder.pull({ sha256: 'cd'.repeat(32) })).toEqual([])
    expect(existsSync(join(path, `sha256-${subject.sha256}`, 'root.layout'))).toBe(true)
  })

  it('keeps an earlier file of the same name', async () => {
    const { store: folder } = store()
    await folder.push([file('a.link', 'one')], subject)
    await folder.push([file('a.link', 'two')], subject)
    await folder.push([file('a.link', 'one'), file('a.link', 'two')], subject)
    const files = texts(await folder.pull(subject))
    expect(files['a.link']).toBe('one')
    expect(Object.values(files).toSorted()).toEqual(['one', 'two'])
  })

  it('passes over links, odd names and temporary files', async () => {
    const { path, store: folder } = store()
    await folder.push([file('a.link')], subject)
    const at = join(path, `sha256-${subject.sha256}`)
    writeFileSync(join(root, 'secret'), 'secret')
    symlinkSync(join(root, 'secret'), join(at, 'b.link'))
    symlinkSync(root, join(at, 'up'))
    symlinkSync(at, join(at, 'loop'))
    writeFileSync(join(at, '.hidden'), '')
    mkdirSync(join(at, '.git'))
    expect(texts(await folder.pull(subject))).toEqual({ 'a.link': 'a.link' })
  })

  it('is bounded', async () => {
    const files = [file('a.link', 'x'.repeat(60)), file('b.link', 'y'.repeat(60))]
    for (const limits of [{ fileBytes: 50 }, { totalBytes: 100 }, { files: 1 }]) {
      const { store: folder } = store({ limits })
      await folder.push(files, subject)
      expect((await refusal(() => folder.pull(subject))).code).toBe('E_IO')
    }
  })

  it('refuses names and digests that lead elsewhere', async () => {
    const { path, store: folder } = store()
    for (const name of ['../x', '/x', '.x']) expect((await refusal(() => folder.push([file(name)], subject))).code).toBe('E_CONFIG')
    for (const sha256 of ['', '../..', 'AB'.repeat(32), 'ab'])
      expect((await refusal(() => folder.push([file('a')], { sha256 }))).code).toBe('E_CONFIG')
    expect((await refusal(() => folder.pull({ sha256: '../x' }))).code).toBe('E_CONFIG')
    expect(existsSync(path)).toBe(false)
  })

  it('says when the folder cannot be used', async () => {
    writeFileSync(join(root, 'plain'), '')
    expect((await refusal(() => openStore(`dir:${join(root, 'plain')}`).push([file('a')], subject))).code).toBe('E_IO')
    expect((await refusal(() => openStore(`dir:${join(root, 'plain')}`).pull(subject))).code).toBe('E_IO')
  })
})

describe('requests', () => {
  const servers: Server[] = []
  afterEach(async () => {
    for (const server of servers.splice(0)) await closeServer(server)
  })
  const serve = async (listener: RequestListener): Promise<string> => {
    const server = createServer(listener)
    servers.push(server)
    return (await listen(server)).replace('http://', '')
  }
  const pull = (host: string, o = {}) => openStore(`oci://${host}/app`, o).pull(subject)

  it('that nobody answers are E_IO', async () => {
    const host = await serve(() => undefined)
    const slow = await refusal(() => pull(host, { timeout: 200 }))
    expect(slow).toMatchObject({ code: 'E_IO', message: expect.stringContaining('in time') })
    const dripping = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('{')
    })
    expect(await refusal(() => pull(dripping, { timeout: 200 }))).toMatchObject({
      code: 'E_IO',
      message: expect.stringContaining('in time'),
    })
    const closed = createServer()
    const nobody = (await listen(closed)).replace('http://', '')
    await new Promise((done) => closed.close(done))
    expect(await refusal(() => pull(nobody))).toMatchObject({ code: 'E_IO', message: expect.stringContaining('ECONNREFUSED') })
  })

  it('that are answered without end are cut off', async () => {
    let sent = 0
    const host = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const chunk = Buffer.alloc(1024 * 1024, 0x20)
      const more = (): void => {
        sent += chunk.length
        if (!response.destroyed) response.write(chunk, more)
      }
      more()
    })
    expect(await refusal(() => pull(host))).toMatchObject({ code: 'E_IO', message: expect.stringContaining('more than') })
    expect(sent).toBeLessThan(64 * 1024 * 1024)
  })

  it('follow redirects on this machine, without credentials for another origin, and not for ever', async () => {
    const seen: (string | undefined)[] = []
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(200, { 'content-type': 'application/vnd.oci.image.index.v1+json' })
      response.end('{"schemaVersion":2,"manifests":[]}')
    })
    const host = await serve((request, response) => {
      seen.push(request.headers.authorization)
      if (request.headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' })
      else response.writeHead(307, { location: `http://${other}/list` })
      response.end()
    })
    expect(await pull(host, { credentials: { username: 'a', password: 'canary' } })).toEqual([])
    expect(seen).toEqual([undefined, expect.stringMatching(/^Basic /), undefined])
    const loop = await serve((request, response) => void response.writeHead(302, { location: request.url ?? '/' }).end())
    expect(await refusal(() => pull(loop))).toMatchObject({ code: 'E_IO', message: expect.stringContaining('without end') })
  })

  it.each([
    'http://evil.example/list',
    'ftp://evil.example/',
    'https://alice:x@evil.example/',
    'http://[::ffff:127.0.0.1]/',
    '//evil.example/x',
  ])('do not follow a redirect to %s', async (location) => {
    const asked: string[] = []
    const counted: typeof fetch = (input, init) => {
      asked.push(String(input instanceof URL ? input.host : input))
      return fetch(input, init)
    }
    const host = await serve((_, response) => void response.writeHead(302, { location }).end())
    expect((await refusal(() => pull(host, { fetch: counted }))).code).toBe('E_IO')
    expect(asked).toEqual([host])
  })

  it('from elsewhere are not sent back to this machine', async () => {
    const asked: string[] = []
    const far: typeof fetch = async (input) => {
      asked.push(new URL(String(input)).host)
      return new Response(null, { status: 302, headers: { location: 'http://127.0.0.1:1/metadata' } })
    }
    expect(await refusal(() => pull('registry.example', { fetch: far }))).toMatchObject({
      code: 'E_IO',
      message: expect.stringContaining('this machine'),
    })
    expect(asked).toEqual(['registry.example'])
  })
})
