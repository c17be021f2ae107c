/**
 * The search of a page: a file by part of its name or digest, and its life through all steps, as the library explains it. Runs in the browser on
 * the data of the page alone. Thousands of names are filtered, only a screenful becomes elements.
 */
import { explainArtifact, type ArtifactStage } from 'intoto'
import { html, type Markup } from './html.ts'
import { unpackChain, type PackedChain, type UnpackedChain } from './packed.ts'
import { put } from './sink.ts'
import { signOf, type Sign } from './sign.ts'
import { count, figure, shortened } from './phrase.ts'

/** Most files that are listed at once. */
const mostHits = 40

/** Makes the search under this node work; does nothing where a page has none. */
export function startSearch(root: Document | Element): void {
  const section = root.querySelector<HTMLElement>('#search')
  const data = section?.querySelector('#links')?.textContent
  if (!section || !data) return
  const part = (id: string): HTMLElement => section.querySelector(`#${id}`) as HTMLElement
  const parts = { input: part('query') as HTMLInputElement, hits: part('hits'), found: part('found'), life: part('life') }
  let files: Files | undefined
  const search = (): void => {
    files ??= new Files(unpackChain(JSON.parse(data) as PackedChain))
    list(parts, files)
  }
  let waiting: ReturnType<typeof setTimeout> | undefined
  parts.input.addEventListener('input', () => {
    clearTimeout(waiting)
    waiting = setTimeout(search, 120)
  })
  parts.input.form?.addEventListener('submit', (event) => {
    event.preventDefault()
    clearTimeout(waiting)
    search()
    const [first] = parts.found.querySelectorAll('button')
    if (parts.found.querySelectorAll('button').length === 1) first?.click()
    else first?.focus()
  })
  section.addEventListener('keydown', (event) => walk(event, parts))
  parts.found.addEventListener('click', (event) => {
    const button = (event.target as Element).closest('button')
    const name = files?.shown[Number(button?.value)]
    if (button && files && name !== undefined) showLife(parts, files, { name, button })
  })
  section.hidden = false
}

interface Parts {
  readonly input: HTMLInputElement
  readonly hits: HTMLElement
  readonly found: HTMLElement
  readonly life: HTMLElement
}

/** All files of a chain. */
class Files {
  /** Names as listed now. */
  shown: readonly string[] = []
  readonly data: UnpackedChain

  constructor(data: UnpackedChain) {
    this.data = data
  }

  /** Names that hold the text, in any case, those that begin or end with it first; files whose digest begins with it. */
  find(query: string): string[] {
    const text = query.toLowerCase()
    if (text === '') return []
    const [near, far]: [string[], string[]] = [[], []]
    for (const name of this.data.names) {
      const low = name.toLowerCase()
      if (!low.includes(text)) continue
      if (low.startsWith(text) || low.endsWith(text)) near.push(name)
      else far.push(name)
    }
    return [...near, ...far, ...(/^[0-9a-f]{6,64}$/.test(text) ? this.withDigest(text) : [])]
  }

  private withDigest(start: string): string[] {
    const names = new Set<string>()
    for (const { materials, products } of this.data.chain) {
      for (const side of [materials, products]) {
        for (const name of Object.keys(side))
          if (Object.values(side[name] ?? {}).some((digest) => digest.startsWith(start))) names.add(name)
      }
    }
    return [...names]
  }

  /** Steps that know a file of this name. */
  steps(name: string): string[] {
    return this.data.chain
      .filter((link) => Object.hasOwn(link.materials, name) || Object.hasOwn(link.products, name))
      .map((link) => link.name)
  }
}

function list({ input, hits, found, life }: Parts, files: Files): void {
  const query = input.value.trim()
  const names = files.find(query)
  files.shown = names.slice(0, mostHits)
  life.hidden = true
  put(
    found,
    html`${files.shown.map(
      (name, i) =>
        html`<li>
          <button type="button" value="${i}">
            <span class="name">${name}</span> <span class="quiet">${files.steps(name).join(', ')}</span>
          </button>
        </li>`,
    )}`,
  )
  hits.textContent =
    query === ''
      ? `${count(files.data.names.length, 'file')} in this chain.`
      : names.length === 0
        ? `No file matches. ${count(files.data.names.length, 'file')} in this chain.`
        : names.length > mostHits
          ? `${figure(names.length)} files match; the first ${mostHits} are listed.`
          : `${count(names.length, 'file')} ${names.length === 1 ? 'matches' : 'match'}.`
}

/** Arrow keys go through the list and back to the field. */
function walk(event: KeyboardEvent, { input, found }: Parts): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  const buttons = [...found.querySelectorAll('button')]
  const at = buttons.indexOf(document.activeElement as HTMLButtonElement)
  if (event.key === 'Escape' && at >= 0) input.focus()
  if (step === undefined || (at < 0 && document.activeElement !== input)) return
  const next = at + step
  if (next < -1 || buttons.length === 0) return
  event.preventDefault()
  if (next === -1) input.focus()
  else buttons[Math.min(next, buttons.length - 1)]?.focus()
}

function showLife({ found, life }: Parts, files: Files, { name, button }: { name: string; button: HTMLButtonElement }): void {
  for (const other of found.querySelectorAll('[aria-current]')) other.removeAttribute('aria-current')
  button.setAttribute('aria-current', 'true')
  const { stages } = explainArtifact(files.data.layout, files.data.chain, name)
  put(
    life,
    html`<h3>The life of <span class="name">${name}</span></h3>
      <ol class="stages">
        ${stages.map((stage, i) => stageOf(stage, stages[i - 1], name))}
      </ol>`,
  )
  life.hidden = false
  life.focus({ preventScroll: true })
  life.scrollIntoView({ block: 'nearest' })
}

function stageOf(stage: ArtifactStage, before: ArtifactStage | undefined, name: string): Markup {
  const digests = Object.entries(stage.digests ?? {})
  const isOther =
    before?.digests !== undefined &&
    stage.digests !== undefined &&
    JSON.stringify(Object.entries(before.digests)) !== JSON.stringify(digests)
  const content =
    stage.digests === undefined
      ? html`not there`
      : html`${digests.map(([algorithm, hex]) => html`<code title="${hex}">${algorithm} ${shortened(hex)}</code> `)}`
  const passed = stage.passed.filter(({ rule }) => !rule.text.startsWith('REQUIRE '))
  const status = ({ consumed: 'ok', refused: 'fail', unclaimed: 'idle' } as const satisfies Record<string, Sign>)[stage.outcome]
  const outcome = { consumed: 'allowed by', refused: 'refused by', unclaimed: 'let through: no rule speaks of it' }[stage.outcome]
  return html`<li class="stage ${status}">
    <p>
      <strong>${stage.step}</strong>
      ${stage.list === 'expected_materials' ? 'read it' : 'wrote it'}${stage.name !== name && html` as <span class="name">${stage.name}</span>`}
    </p>
    <p>${content}${isOther && html`<span class="changed">other content than before</span>`}</p>
    ${passed.map(({ rule, why }) => html`<p class="quiet">not by <code>${rule.text}</code>: ${why}</p>`)}
    <p>
      <span class="state">${signOf(status)} ${outcome}</span
      >${stage.rule !== undefined && html` <code>${stage.rule.text}</code> <span class="quiet">rule ${stage.rule.index + 1}</span>`}
    </p>
  </li>`
}
