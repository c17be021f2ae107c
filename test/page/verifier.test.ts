/**
 * The built verifier page in a real browser, used through its inputs: on every vector and on random chains it shows what the library says in Node;
 * on tarballs it says what the command says.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  createLink,
  decodeMetadata,
  encodeMetadata,
  fromBase64,
  generateKeyPair,
  importKey,
  importSigner,
  InTotoError,
  judge,
  keyids,
  linkFileName,
  memoryLinks,
  npmLayout,
  sign,
  type Artifacts,
  type Problem,
  type Report,
} from 'intoto'
import { reportBody } from 'intoto-page'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PackedChain } from '../browser/app/judge.ts'
import { randomChains, vectorChains } from '../browser/chains.ts'
import { findChromium } from '../browser/chromium.ts'
import { Browser, type Page } from '../browser/devtools.ts'
import { endOf, intoto, start } from '../cli/command.ts'
import { tgz, type Entry } from '../npm/archive.ts'
import { expectReached } from './keyboard.ts'
import { violations } from './axe.ts'
import { judgeSample, makeSample, sha256 } from './sample.ts'

const chromium = findChromium()
if (!chromium) console.warn('skipped: no chromium on this machine')
const pageFile = fileURLToPath(new URL('../../packages/page/dist/verifier.html', import.meta.url))
const { version } = JSON.parse(readFileSync(new URL('../../packages/page/package.json', import.meta.url), 'utf8')) as { version: string }

/** What a person gives: files by name or by path below a chosen folder, bytes in base64. */
interface Gift {
  layout: string
  keys: Record<string, string>
  links: Record<string, string>
  product?: Record<string, string>
  at?: string
  parameters?: string
}

/** In the page: puts files into the inputs as a person does, presses the button, waits for the verdict. */
const helpers = `
  window.give = (slot, files) => {
    const folder = Object.keys(files).some((name) => name.includes('/'))
    const input = document.querySelector('#slot-' + slot + (folder ? ' input[webkitdirectory]' : ' input'))
    const transfer = new DataTransfer()
    for (const [path, base64] of Object.entries(files)) {
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
      transfer.items.add(new File([bytes], path.slice(path.lastIndexOf('/') + 1)))
    }
    // A script can't choose a folder; the browser would set this.
    ;[...transfer.files].forEach((file, i) => folder && Object.defineProperty(file, 'webkitRelativePath', { value: Object.keys(files)[i] }))
    Object.defineProperty(input, 'files', { value: transfer.files, configurable: true })
    input.dispatchEvent(new Event('change'))
  }
  // Timers of a page that is not in front are slow; messages are not.
  const turn = () => new Promise((resolve) => { const { port1, port2 } = new MessageChannel(); port1.onmessage = resolve; port2.postMessage(0) })
  window.settled = async (is) => {
    for (const started = Date.now(); !is(); await turn()) if (Date.now() - started > 20000) throw new Error('waited in vain: ' + said.textContent)
  }
  window.ask = async (gift) => {
    for (const clear of document.querySelectorAll('.clear')) clear.click()
    const slots = { layout: { 'root.layout': gift.layout }, keys: gift.keys, links: gift.links, ...(gift.product && { product: gift.product }) }
    for (const [slot, files] of Object.entries(slots)) {
      if (Object.keys(files).length === 0) continue
      give(slot, files)
      await settled(() => document.querySelector('#slot-' + slot + ' .files').children.length > 0)
    }
    at.value = gift.at ?? ''
    parameters.value = gift.parameters ?? ''
    result.textContent = ''
    verify.click()
    await settled(() => document.querySelector('#verdict'))
    return { markup: result.innerHTML, verdict: document.querySelector('#verdict').textContent, codes: [...document.querySelectorAll('.problem.fail .code')].map((code) => code.textContent) }
  };0`

interface Answer {
  markup: string
  verdict: string
  codes: string[]
}

describe.skipIf(!chromium)('the verifier page', () => {
  let browser: Browser
  let page: Page
  let scratch: string

  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'verifier-'))
    browser = new Browser(chromium!)
  })
  afterAll(async () => {
    await browser?.close()
    rmSync(scratch, { recursive: true, force: true })
  })

  async function opened(): Promise<Page> {
    page = await browser.page()
    await page.size(1200)
    await page.open(pathToFileURL(pageFile).href)
    await page.run(helpers)
    return page
  }
  const ask = (gift: Gift): Promise<Answer> => page.run<Answer>(`ask(${JSON.stringify(gift)})`)

  /** Markup as the browser itself would write it. */
  async function normalised(markups: readonly string[]): Promise<string[]> {
    const blank = await browser.page()
    return blank.run(`${JSON.stringify(markups)}.map((markup) => {
      document.body.innerHTML = markup
      document.querySelector('#search')?.removeAttribute('hidden')
      return document.body.innerHTML
    })`)
  }

  test('shows the library’s Report for every vector and for random chains', async () => {
    await opened()
    const random = await randomChains(12, scratch)
    // One parameter stands on each line: a value that is two lines can't be given here.
    const chains = [
      ...vectorChains(),
      ...random.filter(({ parameters }) => !Object.values(parameters ?? {}).some((value) => /[\r\n]/.test(value))),
    ]
    const expected = await normalised(
      await Promise.all(chains.map(async (chain) => reportBody(await inNode(chain), contextOf(chain)).text)),
    )
    const verdicts: string[] = []
    for (const [i, chain] of chains.entries()) {
      const answer = await ask(giftOf(chain))
      expect(answer.markup, chain.name).toBe(expected[i])
      verdicts.push(answer.verdict)
    }
    expect(verdicts.filter((verdict) => verdict === 'Verified').length).toBeGreaterThan(20)
    expect(verdicts.filter((verdict) => verdict === 'Not verified').length).toBeGreaterThan(20)
    expect(page.complaints).toEqual([])
    expect(page.requests).toEqual([])
  }, 120_000)

  test('says what the command says of every vector: the verdict, and each code', async () => {
    await opened()
    const chains = vectorChains()
    expect(chains.length).toBeGreaterThanOrEqual(72)
    for (let i = 0; i < chains.length; i += 4) {
      const few = chains.slice(i, i + 4)
      const said = await Promise.all(few.map((chain) => byCommand(chain, join(scratch, chain.name))))
      for (const [place, chain] of few.entries()) {
        const { verdict, codes } = await ask(giftOf(chain))
        expect({ verdict, codes }, chain.name).toEqual(said[place])
      }
    }
  }, 180_000)

  test('judges a tarball as the command does: as packed, changed afterwards, incomplete, with a tail, in two parts, with a second folder', async () => {
    await opened()
    const entry = (name: string, content: string): Entry => ({ name, content })
    const packed = tgz(packedEntries)
    const cases: Record<string, { made: Uint8Array; judged?: Uint8Array; code?: string }> = {
      packed: { made: packed },
      changed: { made: packed, judged: tgz([...packedEntries.slice(0, 2), entry('package/dist/more.js', 'changed')]), code: 'E_TAMPER' },
      incomplete: { made: tgz(packedEntries.slice(0, 2)), code: 'E_PRODUCT' },
      tail: { made: Buffer.concat([packed, Buffer.from('tail')]), code: 'E_INSPECTION' },
      parts: { made: Buffer.concat([packed, tgz([entry('package/late.js', 'late')])]), code: 'E_INSPECTION' },
      folders: { made: tgz([...packedEntries, entry('other/index.js', 'other')]), code: 'E_INSPECTION' },
    }
    for (const [name, { made, judged = made, code }] of Object.entries(cases)) {
      const { files, gift } = await npmChain(made)
      const folder = join(scratch, name)
      mkdirSync(folder)
      for (const [file, content] of Object.entries({ ...files, 'lib-1.0.0.tgz': judged })) writeFileSync(join(folder, file), content)
      const words = ['verify', 'lib-1.0.0.tgz', '-k', 'owner.pub', '-l', 'root.layout', '-d', '.', '--at', '2026-03-01', '--format', 'json']
      const said = JSON.parse(intoto(words, { cwd: folder }).out) as Report
      const answer = await ask({ ...gift, product: { 'lib-1.0.0.tgz': base64(judged) } })
      expect(answer.verdict, name).toBe(said.ok ? 'Verified' : 'Not verified')
      expect(answer.codes, name).toEqual(errorsOf(said))
      expect(answer.codes[0], name).toBe(code)
    }
  })

  test('judges a folder, and names the file that was changed', async () => {
    await opened()
    const sample = await makeSample()
    const files = Object.keys(sample.product.artifacts)
    const links = Object.fromEntries(Object.entries(sample.links).map(([name, bytes]) => [`in-toto/${name}`, base64(bytes)]))
    const gift = {
      layout: base64(encodeMetadata(sample.layout)),
      keys: { 'owner.pub': base64(sample.owner.publicPem) },
      links,
      at: '2026-03-01',
    }
    const product = Object.fromEntries(files.map((name) => [name, base64(name)]))
    expect((await ask({ ...gift, product })).verdict).toBe('Verified')
    const answer = await ask({ ...gift, product: { ...product, [files[3]!]: base64('changed'), 'dist/more.js': base64('more') } })
    expect(answer.verdict).toBe('Not verified')
    expect(answer.markup).toContain(files[3])
    expect(answer.markup).toContain('dist/more.js')
    const report = await judgeSample({
      ...sample,
      product: {
        ...sample.product,
        artifacts: { ...sample.product.artifacts, [files[3]!]: { sha256: sha256('changed') }, 'dist/more.js': { sha256: sha256('more') } },
      },
    })
    expect(answer.codes).toEqual(errorsOf(report))
  })

  test('refuses inspections that it can’t run, says what is missing, and keeps no private key', async () => {
    await opened()
    const answer = await ask((await npmChain(tgz(packedEntries))).gift)
    expect(answer.codes).toEqual(['E_UNSUPPORTED'])
    expect(answer.markup).toContain('npx intoto verify')

    await page.run(`for (const clear of document.querySelectorAll('.clear')) clear.click(); verify.click()`)
    await page.until(`said.textContent.includes('no layout was given')`)
    const { privatePem } = await generateKeyPair('ed25519')
    await page.run(`give('keys', { 'owner': ${JSON.stringify(base64(privatePem))} })`)
    await page.until(`said.textContent.includes('private key')`)
    expect(await page.run(`document.querySelectorAll('#slot-keys .files li').length`)).toBe(0)
  })

  test('takes files from the disk and from a drop, and saves a report that stands alone', async () => {
    await opened()
    const sample = await makeSample()
    const folder = join(scratch, 'given')
    mkdirSync(folder)
    const files = { 'root.layout': encodeMetadata(sample.layout), 'owner.pub': Buffer.from(sample.owner.publicPem), ...sample.links }
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes)
    await page.choose('#slot-layout input', [join(folder, 'root.layout')])
    await page.drop('#slot-links', [folder])
    await page.until(`document.querySelectorAll('#slot-links .files li').length > 0`)
    expect(await page.run(`document.querySelector('#slot-links .files').textContent`)).toContain('given/')
    await page.run(`(() => {
      const transfer = new DataTransfer()
      transfer.items.add(new File([${JSON.stringify(sample.owner.publicPem)}], 'owner.pub'))
      document.querySelector('#slot-keys').dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }))
    })()`)
    await page.until(`document.querySelectorAll('#slot-keys .files li').length > 0`)
    await page.run(`at.value = '2026-03-01'; verify.focus()`)
    await page.press('Enter')
    await page.until(`document.querySelector('#verdict')`)
    expect(await page.run('document.activeElement.textContent')).toBe('Verified')
    expect(await page.run('said.textContent')).toBe('Verified.')

    await page.run(`URL.createObjectURL = (blob) => { window.saved = blob.text(); return 'data:,' }; save.click()`)
    const saved = await page.run<string>('saved')
    const file = join(scratch, 'saved.html')
    writeFileSync(file, saved)
    const alone = await browser.page()
    await alone.open(pathToFileURL(file).href)
    await alone.run(`query.value = 'chunk-3'; query.form.requestSubmit()`)
    expect(await alone.run('life.textContent')).toContain('dist/assets/chunk-3.js')
    expect(alone.complaints).toEqual([])
  })

  test('takes a folder in every way there is: chosen, dropped, dropped where there are only entries', async () => {
    const folder = join(scratch, 'evidence')
    mkdirSync(join(folder, 'build.c0ffee12'), { recursive: true })
    const names = ['evidence/build.c0ffee12.link', 'evidence/build.c0ffee12/compile.77aa0c31.link']
    for (const name of names) writeFileSync(join(scratch, name), 'x')
    const listed = `[...document.querySelectorAll('#slot-links .files li')].map((one) => one.textContent).sort()`
    const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(readFileSync(pageFile)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      await opened()
      await page.choose('#slot-links input[webkitdirectory]', [folder])
      await page.until(`${listed}.length === 2`)
      expect(await page.run(listed)).toEqual(names)
      await opened()
      await page.drop('#slot-links', [folder])
      await page.until(`${listed}.length === 2`)
      expect(await page.run(listed)).toEqual(names)
      page = await browser.page()
      await page.open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
      await page.run('delete DataTransferItem.prototype.getAsFileSystemHandle')
      await page.drop('#slot-links', [folder])
      await page.until(`${listed}.length === 2`)
      expect(await page.run(listed)).toEqual(names)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  test('strings of an attacker stay strings: names of files, of functionaries, of the layout itself', async () => {
    page = await browser.page()
    await page.send('Page.addScriptToEvaluateOnNewDocument', { source: 'window.attacked = []; window.hit = (how) => attacked.push(how)' })
    await page.open(pathToFileURL(pageFile).href)
    await page.run(helpers)
    const suffix = `<img src=x onerror="hit('img')"><script>hit('script')</script>`
    const sample = await makeSample({ broken: true, suffix })
    const links = Object.fromEntries(Object.entries(sample.links).map(([name, bytes]) => [name, base64(bytes)]))
    const keys = { [`owner${suffix.replaceAll('/', '')}.pub`]: base64(sample.owner.publicPem) }
    const product = { [`dist${suffix.replaceAll('/', '')}/${suffix.replaceAll('/', '')}`]: base64('') }
    const { verdict } = await ask({ layout: base64(encodeMetadata(sample.layout)), keys, links, product, at: '2026-03-01' })
    expect(verdict).toBe('Not verified')
    await page.run(`query.value = 'onerror'; query.form.requestSubmit(); found.querySelector('button').click()`)
    expect(await page.run('life.textContent')).toContain('<img src=x')
    expect(
      await page.run(
        `result.textContent.includes('alice<img src=x') && document.querySelector('#slot-keys').textContent.includes('owner<img')`,
      ),
    ).toBe(true)
    expect(await page.run('attacked')).toEqual([])
    expect(await page.run(`document.querySelectorAll('img, iframe, main script:not(#links), [onerror]').length`)).toBe(0)
    expect(page.complaints).toEqual([])
    expect(page.requests).toEqual([])
  })

  test('axe finds nothing, with and without a verdict, in light and dark; nothing is wider than a phone', async () => {
    await opened()
    const sample = await makeSample({ broken: true })
    const links = Object.fromEntries(Object.entries(sample.links).map(([name, bytes]) => [name, base64(bytes)]))
    const gift = {
      layout: base64(encodeMetadata(sample.layout)),
      keys: { 'owner.pub': base64(sample.owner.publicPem) },
      links,
      at: '2026-03-01',
    }
    await page.run(`for (const more of document.querySelectorAll('details')) more.open = true`)
    expect(await violations(page)).toEqual([])
    await expectReached(page)
    await ask(gift)
    for (const scheme of ['light', 'dark'] as const) {
      await page.media(scheme)
      expect(await violations(page), scheme).toEqual([])
    }
    await page.size(360, 740)
    expect(await page.run('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360)
    expect(await violations(page)).toEqual([])
    await page.media('light', 'print')
    expect(await violations(page)).toEqual([])
    await page.media('light')
    await expectReached(page)
    expect(page.complaints).toEqual([])
  })
})

function base64(bytes: Uint8Array | string): string {
  return Buffer.from(bytes).toString('base64')
}

function errorsOf({ problems }: { problems: readonly Problem[] }): string[] {
  return problems.filter(({ severity }) => severity === 'error').map(({ code }) => code)
}

function giftOf(chain: PackedChain): Gift {
  return {
    layout: chain.layout,
    keys: Object.fromEntries(chain.keys.map((pem, i) => [`owner-${i}.pub`, base64(pem)])),
    links: Object.fromEntries(Object.entries(chain.links).map(([path, bytes]) => [`links/${path}`, bytes])),
    at: '2026-01-01',
    parameters: Object.entries(chain.parameters ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join('\n'),
  }
}

function contextOf({ links }: PackedChain): Parameters<typeof reportBody>[1] {
  const folders = Object.keys(links).length > 0 ? ['links'] : []
  return { version, folders, products: [], loosened: ['Judged as of 2026-01-01T00:00:00.000Z, not of now.'] }
}

/** The command's own answer. It would run inspections, and a page can't. */
async function byCommand(chain: PackedChain, folder: string): Promise<Omit<Answer, 'markup'>> {
  const links = Object.entries(chain.links).map(([path, bytes]) => [`links/${path}`, Buffer.from(bytes, 'base64')] as const)
  const keys = chain.keys.map((pem, i) => [`owner-${i}.pub`, pem] as const)
  for (const [path, content] of [...links, ...keys, ['root.layout', Buffer.from(chain.layout, 'base64')] as const]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
  mkdirSync(join(folder, 'links'), { recursive: true })
  const parameters = Object.entries(chain.parameters ?? {}).map(([name, value]) => `${name}=${value}`)
  const words = ['-l', 'root.layout', '-d', 'links', '--at', '2026-01-01', '--no-inspections', '--format', 'json']
  const more = parameters.length === 0 ? [] : ['--substitution-parameters', ...parameters]
  const ended = await endOf(start(['verify', ...words, ...more, '-k', ...keys.map(([name]) => name)], { cwd: folder }))
  const [, code] = /^(E_[A-Z_]+) /m.exec(ended.err) ?? []
  // Where the call itself is at fault there is no Report, and its code is said aloud.
  const codes = ended.out === '' ? [code ?? ended.err] : errorsOf(JSON.parse(ended.out) as Report)
  return { verdict: ended.code === 0 ? 'Verified' : 'Not verified', codes }
}

/** The library's own answer, with the names that the page gives. */
async function inNode(chain: PackedChain): Promise<Report> {
  const now = new Date('2026-01-01T00:00:00Z')
  try {
    const layout = decodeMetadata(fromBase64(chain.layout), { what: 'root.layout' })
    const keys = await Promise.all(chain.keys.map((pem) => importKey(pem)))
    const names = new Map(keys.flatMap((key, i) => keyids(key).map((id) => [id, `owner-${i}`] as const)).reverse())
    const links = memoryLinks(Object.fromEntries(Object.entries(chain.links).map(([path, bytes]) => [path, fromBase64(bytes)])))
    const parameters = chain.parameters === undefined ? {} : { parameters: chain.parameters }
    return await judge(layout, { keys, names, links, now, layoutFile: 'root.layout', trace: true, ...parameters })
  } catch (error) {
    if (!(error instanceof InTotoError)) throw error
    const layout = { file: 'root.layout', signers: [] }
    return { schemaVersion: 1, ok: false, time: now.toISOString(), layout, steps: [], inspections: [], problems: [error.problem] }
  }
}

const manifest = JSON.stringify({ name: 'lib', version: '1.0.0', main: 'dist/index.js', files: ['dist'] })
const sources: Record<string, string> = { 'package.json': manifest, 'src/index.js': 'source' }
const built: Record<string, string> = { 'dist/index.js': 'built', 'dist/more.js': 'more' }
const packedEntries: Entry[] = Object.entries({ 'package.json': manifest, ...built }).map(([name, content]) => ({
  name: `package/${name}`,
  content,
}))

/** A package under the npm preset, whose inspection unpacks the tarball that the package step has made. */
async function npmChain(tarball: Uint8Array): Promise<{ files: Record<string, Uint8Array>; gift: Gift }> {
  const { privatePem, publicPem } = await generateKeyPair('ed25519')
  const signer = await importSigner(privatePem)
  const artifacts = (contents: Record<string, string | Uint8Array>): Artifacts =>
    Object.fromEntries(Object.entries(contents).map(([name, content]) => [name, { sha256: sha256(content) }]))
  const links: Record<string, Uint8Array> = {}
  for (const link of [
    createLink({ name: 'source', products: artifacts(sources) }),
    createLink({ name: 'build', materials: artifacts(sources), products: artifacts(built) }),
    createLink({
      name: 'package',
      command: ['npm', 'pack'],
      materials: artifacts({ 'package.json': manifest, ...built }),
      products: artifacts({ 'lib-1.0.0.tgz': tarball }),
    }),
  ])
    links[linkFileName(link.name, signer.key.keyid)] = encodeMetadata(await sign(link, [signer]))
  const preset = npmLayout({ functionaries: { ci: signer.key }, expires: '2026-04-01T00:00:00Z', tarball: 'lib-1.0.0.tgz', untested: true })
  const layout = encodeMetadata(await sign(preset, [signer]))
  const given = Object.fromEntries(Object.entries(links).map(([path, link]) => [path, base64(link)]))
  return {
    files: { 'root.layout': layout, 'owner.pub': Buffer.from(publicPem), ...links },
    gift: { layout: base64(layout), keys: { 'owner.pub': base64(publicPem) }, links: given, at: '2026-03-01' },
  }
}
