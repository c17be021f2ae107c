/**
 * The script of the verifier page: takes what a person gives, asks the library, shows the verdict and the picture. All of it happens in this page;
 * its content security policy leaves it no network.
 */
import { emptyRecord, InTotoError, type Report, utf8 } from 'intoto'
import { html } from './html.ts'
import { judgeGiven, type Given, type GivenProduct } from './judgement.ts'
import { mayBeLink, type PlacedFile } from './links.ts'
import { reportBody, reportPage, verdictOf, type PageContext } from './report.ts'
import { startSearch } from './search.ts'
import { put } from './sink.ts'
import { Slot, type GivenFile } from './slot.ts'

/** Written in by the build. */
declare const PACKAGE_VERSION: string

const find = <E extends HTMLElement = HTMLElement>(id: string, _kind?: new () => E): E => document.querySelector(`#${id}`) as E
const tell = (text: string): void => void (find('said').textContent = text)

/** Nobody needs a private key to verify, and none is to be read here. */
async function refusePrivate({ path, file }: GivenFile): Promise<string | undefined> {
  const start = await file.slice(0, 4096).text()
  return /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(start)
    ? `${path} is a private key. It was not kept; keep it away from web pages. Verification needs the public key, ${path}.pub.`
    : undefined
}

const slots = {
  layout: new Slot('layout', { adds: false, tell }),
  keys: new Slot('keys', { adds: true, tell, refuse: refusePrivate }),
  links: new Slot('links', { adds: true, tell }),
  product: new Slot('product', { adds: false, tell }),
}

async function read({ file }: GivenFile, path: string): Promise<PlacedFile> {
  return { path, bytes: new Uint8Array(await file.arrayBuffer()) }
}

/** Below a folder that was chosen for links, paths begin in that folder. */
function linkPath({ path, isInFolder }: GivenFile): string {
  return isInFolder ? path.slice(path.indexOf('/') + 1) : path
}

async function collect(): Promise<{ given: Given; context: PageContext }> {
  const [layout] = slots.layout.files
  if (layout === undefined) throw misuse('no layout was given', 'it tells what has to be true; its owner has signed it')
  const product = await productOf(slots.product.files)
  const links = slots.links.files.filter((file) => mayBeLink(file.path))
  const options = optionsOf()
  const given: Given = {
    layout: await read(layout, layout.file.name),
    keys: await Promise.all(slots.keys.files.map((file) => read(file, file.file.name))),
    links: await Promise.all(links.map((file) => read(file, linkPath(file)))),
    ...(product === undefined ? {} : { product }),
    options,
  }
  const folders = new Set(slots.links.files.filter(({ isInFolder }) => isInFolder).map(({ path }) => path.slice(0, path.indexOf('/'))))
  const loosened = [
    ...(options.commandMismatch === 'warn' ? ['A step that ran another command is only warned about.'] : []),
    ...(options.now === undefined ? [] : [`Judged as of ${options.now.toISOString()}, not of now.`]),
    ...(options.statements === true ? ['A Statement with the link predicate may stand for a link.'] : []),
  ]
  return {
    given,
    context: { version: PACKAGE_VERSION, folders: [...folders], products: product === undefined ? [] : [product.name], loosened },
  }
}

/** One file, or all files of one folder. */
async function productOf(files: readonly GivenFile[]): Promise<GivenProduct | undefined> {
  const [first] = files
  if (first === undefined) return undefined
  const tops = new Set(files.map(({ path, isInFolder }) => (isInFolder ? path.slice(0, path.indexOf('/')) : path)))
  if (tops.size > 1) throw misuse('several products are given', 'judge one file or one folder at a time')
  const [name = ''] = tops
  return { kind: first.isInFolder ? 'folder' : 'file', name, files: await Promise.all(files.map((file) => read(file, file.path))) }
}

function optionsOf(): Given['options'] {
  const [through, at] = [find('through', HTMLInputElement).value.trim(), find('at', HTMLInputElement).value.trim()]
  const now = at === '' ? undefined : new Date(/^\d{4}-\d\d-\d\d$/.test(at) ? `${at}T00:00:00Z` : at)
  if (now !== undefined && Number.isNaN(now.getTime())) throw misuse(`no time: ${at}`, 'write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ')
  const parameters = emptyRecord<string>()
  for (const line of find('parameters', HTMLTextAreaElement)
    .value.split('\n')
    .filter((text) => text.trim() !== '')) {
    const [, name, value] = /^([A-Za-z0-9_-]+)=(.*)$/s.exec(line) ?? []
    if (name === undefined || value === undefined) throw misuse(`no parameter: ${line}`, 'write one NAME=VALUE on each line')
    parameters[name] = value
  }
  return {
    parameters,
    commandMismatch: find('mismatch', HTMLInputElement).checked ? 'warn' : 'error',
    statements: find('statements', HTMLInputElement).checked,
    ...(through === '' ? {} : { through }),
    ...(now === undefined ? {} : { now }),
  }
}

function misuse(message: string, fix: string): InTotoError {
  return new InTotoError({ code: 'E_CONFIG', message, fix })
}

/** What is shown now, to be saved as a file of its own. */
let shown: { report: Report; context: PageContext } | undefined

async function verify(): Promise<void> {
  const button = find('verify', HTMLButtonElement)
  button.setAttribute('aria-disabled', 'true')
  tell('Verifying…')
  try {
    const { given, context } = await collect()
    const report = await judgeGiven(given)
    shown = { report, context }
    put(find('result'), reportBody(report, context))
    find('tools').hidden = false
    startSearch(find('result'))
    tell(`${verdictOf(report)}.`)
    find('verdict').focus({ preventScroll: true })
    find('result').scrollIntoView({ block: 'start' })
  } catch (error) {
    shown = undefined
    put(find('result'), html``)
    find('tools').hidden = true
    if (error instanceof InTotoError) tell(`${error.problem.message}: ${error.problem.fix.join('; ')}.`)
    else tell(`This page failed, and there is no verdict: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    button.removeAttribute('aria-disabled')
  }
}

function save(): void {
  if (shown === undefined) return
  const address = URL.createObjectURL(
    new Blob([utf8(reportPage(shown.report, shown.context)) as Uint8Array<ArrayBuffer>], { type: 'text/html' }),
  )
  const link = document.createElement('a')
  link.href = address
  link.download = 'in-toto-report.html'
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

find('given').addEventListener('submit', (event) => {
  event.preventDefault()
  if (find('verify').getAttribute('aria-disabled') !== 'true') void verify()
})
find('save').addEventListener('click', save)
// A file that misses its slot must not take the place of the page.
for (const kind of ['dragover', 'drop']) addEventListener(kind, (event) => event.preventDefault())
if (!isSecureContext) tell('This page was served over plain HTTP, where browsers offer no cryptography: open it as a file, or over HTTPS.')
