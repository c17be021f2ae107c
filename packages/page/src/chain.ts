/**
 * Draws the chain of custody: one card for each step, with what it received from whom, and lines beside the cards. Every row draws its own piece
 * of the lines, so that they fit whatever height the text takes, without script and on any width. The words say all that the lines show.
 */
import type { Problem, Report, StepReport } from 'intoto'
import { graphOf, type Flow, type Graph, type Lane, type Node } from './flow.ts'
import { html, Markup, type Piece } from './html.ts'
import { signOf, type Sign } from './sign.ts'
import { mostProblems } from './problem.ts'
import { commandLine, count, figure, who } from './phrase.ts'

/** Pixels: between two lanes, and from the top of a row to the middle of its first line. */
const gap = 16
const middle = 22

interface Drawing {
  readonly graph: Graph
  readonly problems: readonly Problem[]
  readonly width: number
}

interface Row {
  readonly cell: Markup
  /** Its place in the card. */
  readonly part: 'head' | 'in' | 'out' | 'more' | 'between'
  readonly flow?: Flow
  readonly broken?: boolean
}

/** The chain as a list of steps. `problems` as the page lists them, each with the anchor `problem-N`. */
export function chainOf(report: Report, problems: readonly Problem[]): Markup {
  const graph = graphOf(report, problems)
  const lanes = Math.max(0, ...graph.lanes.map(({ index }) => index + 1))
  const drawing = { graph, problems, width: lanes === 0 ? 0 : lanes * gap + 10 }
  return html`<ol class="chain">
    ${graph.nodes.map((node, i) => nodeOf(node, i, drawing))}
  </ol>`
}

function nodeOf(node: Node, position: number, drawing: Drawing): Markup {
  const rows: Row[] = [
    { part: 'head', cell: headOf(node) },
    ...node.flows.filter(({ side }) => side === 'materials').map((flow): Row => ({ part: 'in', flow, cell: flowOf(flow, node, drawing) })),
    ...looseRow(node),
    ...node.flows.filter(({ side }) => side === 'products').map((flow): Row => ({ part: 'in', flow, cell: flowOf(flow, node, drawing) })),
    ...otherRow(node, drawing),
    ...outRow(node),
    ...moreRow(node, drawing),
  ]
  const isLast = position === drawing.graph.nodes.length - 1
  const drawn = rows.map((row, i) => rowOf(row, { position, drawing, edge: edgeOf(i, rows.length), below: rows.slice(i + 1) }))
  const between = isLast ? undefined : rowOf({ part: 'between', cell: html`` }, { position, drawing, edge: 'none', below: [] })
  return html`<li class="node ${statusOf(node)}">${drawn}${between}</li>`
}

function statusOf({ status }: Node): Sign {
  return status === 'unchecked' ? 'idle' : status
}

function edgeOf(i: number, rows: number): string {
  return `${i === 0 ? 'first' : ''} ${i === rows - 1 ? 'last' : ''}`.trim() || 'inner'
}

interface Placed {
  readonly position: number
  readonly drawing: Drawing
  readonly edge: string
  /** The rows of the card that follow. */
  readonly below: readonly Row[]
}

function rowOf(row: Row, o: Placed): Markup {
  const { part, cell, flow } = row
  const { width } = o.drawing
  const pieces = o.drawing.graph.lanes.map((lane) => pieceOf(lane, row, o))
  const rail = width === 0 ? undefined : html`<svg class="rail" width="${width}" aria-hidden="true" focusable="false">${pieces}</svg>`
  const failed = flow?.status === 'fail' || row.broken === true ? ' broken' : ''
  return html`<div class="row ${part}">
    ${rail}
    <div class="cell ${o.edge}${failed}">${cell}</div>
  </div>`
}

/** The piece of a lane in one row: passing, leaving the card, or entering it. */
function pieceOf(lane: Lane, { part, flow }: Row, { position, below, drawing: { width } }: Placed): Markup | undefined {
  const x = width - 12 - lane.index * gap
  const kind = lane.status === 'fail' ? 'fail' : 'ok'
  if (position < lane.from || position > lane.to) return undefined
  if (position === lane.from) {
    if (part === 'out')
      return html`<path class="${kind}" d="M${width} ${middle}H${x + 8}Q${x} ${middle} ${x} ${middle + 8}" /><line
          class="${kind}"
          x1="${x}"
          x2="${x}"
          y1="${middle + 8}"
          y2="100%"
        />`
    return part === 'more' || part === 'between' ? through(x, kind) : undefined
  }
  const entering = flow !== undefined && lane.flows.includes(flow)
  const isDone = position === lane.to && !below.some((row) => row.flow !== undefined && lane.flows.includes(row.flow))
  if (!entering) return isDone ? undefined : through(x, kind)
  const enter = html`<path class="${kind}" d="M${x} 0V${middle - 8}Q${x} ${middle} ${x + 8} ${middle}H${width - 3}" /><path
      class="${kind} arrow"
      d="M${width - 9} ${middle - 5}L${width - 3} ${middle}L${width - 9} ${middle + 5}"
    />`
  const mark = lane.status === 'fail' ? html`<path class="cross" d="M${x - 4} ${middle - 16}l8 8m0 -8l-8 8" />` : undefined
  return html`${enter}${mark}${isDone ? undefined : through(x, kind)}`
}

function through(x: number, kind: string): Markup {
  return html`<line class="${kind}" x1="${x}" x2="${x}" y1="0" y2="100%" />`
}

function headOf(node: Node): Markup {
  const { step } = node
  const state = { ok: 'holds', fail: 'fails', unchecked: 'not checked' }[node.status]
  const kind = { step: '', inspection: 'inspection', product: 'on the disk' }[node.kind]
  return html`<h3>
      ${signOf(statusOf(node))}<span class="name">${node.name}</span>${kind === '' ? '' : html` <span class="kind">${kind}</span>`}
      <span class="state">${state}</span>
    </h3>
    ${step === undefined ? undefined : actors(step)}`
}

function actors(step: StepReport): Markup | undefined {
  const command = step.command.length === 0 ? undefined : html`<p class="command"><code>${commandLine(step.command)}</code></p>`
  if (step.kind === 'inspection') return command
  const signed = step.links.filter((link) => link.counted)
  const needed = step.threshold > 1 ? ` (${figure(step.threshold)} needed)` : ''
  const by =
    signed.length === 0
      ? step.status === 'unchecked' && step.links.length === 0
        ? undefined
        : html`<p class="who">no link that counts${needed}</p>`
      : html`<p class="who">signed by ${signed.map((link, i) => html`${i > 0 && ', '}<strong>${who(link)}</strong>`)}${needed}</p>`
  return html`${by}${command}`
}

function flowOf(flow: Flow, node: Node, { problems }: Drawing): Markup {
  const verb = flow.source === 'products' ? 'wrote' : 'read'
  const same =
    node.kind === 'product'
      ? html`<strong>${count(flow.count, 'file')}</strong> from <b>${flow.from}</b>`
      : html`<strong>${count(flow.count, flow.side === 'materials' ? 'material' : 'product')}</strong> as <b>${flow.from}</b> ${verb}
          ${flow.count === 1 ? 'it' : 'them'}`
  if (flow.status === 'ok') return html`<p>${same}${rulesOf(flow)}</p>`
  return html`<p><span class="state">${signOf('fail')} broken:</span> ${same}, ${count(flow.problems.length, 'problem')}${rulesOf(flow)}</p>
    ${whysOf(flow.problems, problems)}`
}

function rulesOf({ rules }: Flow): Piece {
  const shown = rules.slice(0, 3)
  return shown.length === 0
    ? undefined
    : html` <span class="rules"
        >${shown.map((rule, i) => html`${i > 0 && ' '}<code>${rule}</code>`)}${rules.length > shown.length && ` and ${rules.length - shown.length} more`}</span
      >`
}

function problemLink(i: number, problems: readonly Problem[]): Markup {
  const p = problems[i]
  const subject = html`<span class="name">${p?.file ?? p?.step}</span>`
  return html`<span class="code">${p?.code}</span> ${i < mostProblems ? html`<a href="#problem-${i + 1}">${subject}</a>` : subject}`
}

/** Materials that no MATCH ties to another step: read from the machine, as far as this chain can tell. */
function looseRow(node: Node): Row[] {
  const { step } = node
  if (step === undefined || step.rules.length === 0 || step.materials === 0) return []
  const tied = node.flows.filter(({ side }) => side === 'materials').reduce((sum, flow) => sum + flow.count, 0)
  const loose = step.materials - tied
  if (loose <= 0) return []
  const text =
    tied === 0
      ? html`<strong>${count(loose, 'material')}</strong>, compared with no other step`
      : html`<strong>${figure(loose)} more</strong>, compared with no other step`
  return [{ part: 'in', cell: html`<p class="quiet">${text}</p>` }]
}

/** What is wrong with it, beyond what it received. */
function otherRow(node: Node, { problems }: Drawing): Row[] {
  const told = new Set(node.flows.flatMap((flow) => flow.problems))
  const others = node.problems.filter((i) => !told.has(i))
  if (others.length === 0) return []
  const text = html`<p><span class="state">${signOf('fail')} ${count(others.length, told.size > 0 ? 'more problem' : 'problem')}</span></p>`
  return [{ part: 'in', broken: true, cell: html`${text}${whysOf(others, problems)}` }]
}

/** The first problems by name. */
function whysOf(numbers: readonly number[], problems: readonly Problem[]): Markup {
  const named = numbers.slice(0, 3).map((i) => html`<li>${problemLink(i, problems)}</li>`)
  const left = numbers.length - named.length
  return html`<ul class="whys">
    ${named}${left > 0 && html`<li>and ${figure(left)} more</li>`}
  </ul>`
}

function outRow(node: Node): Row[] {
  const { step } = node
  if (step === undefined) return []
  const isKnown = step.materials > 0 || step.products > 0 || step.command.length > 0
  if (!isKnown) return []
  return [{ part: 'out', cell: html`<p><strong>${count(step.products, 'product')}</strong></p>` }]
}

/** Links and rules, folded; a sublayout's own chain. */
function moreRow(node: Node, { problems }: Drawing): Row[] {
  const { step } = node
  if (step === undefined) return []
  const rows: Row[] = []
  if (step.sublayout !== undefined) {
    const inner = chainOf(step.sublayout, problemsWithin(step.name, problems))
    rows.push({
      part: 'more',
      cell: html`<details${step.status === 'fail' ? new Markup(' open') : ''}><summary>Carried out by a layout of its own</summary>${inner}</details>`,
    })
  }
  if (step.links.length > 0 || step.rules.length > 0)
    rows.push({
      part: 'more',
      cell: html`<details>
        <summary>Links and rules</summary>
        ${links(step)}${rules(step)}
      </details>`,
    })
  return rows
}

/** Problems of a sublayout under the names of its own steps; the others keep their places, so that numbers stay. */
function problemsWithin(step: string, problems: readonly Problem[]): Problem[] {
  return problems.map((p) =>
    p.step?.startsWith(`${step}/`) ? { ...p, step: p.step.slice(step.length + 1) } : { ...p, severity: 'warning' },
  )
}

function links(step: StepReport): Piece {
  if (step.links.length === 0) return undefined
  return html`<ul class="links">
    ${step.links.map((link) => html`<li><code>${link.file}</code> ${link.counted ? 'signed by' : 'not counted:'} ${who(link)}${link.format === 'unknown' ? '' : `, ${link.format}`}</li>`)}
  </ul>`
}

function rules(step: StepReport): Piece {
  return (['expected_materials', 'expected_products'] as const).map((list) => {
    const own = step.rules.filter((rule) => rule.list === list)
    if (own.length === 0) return undefined
    const items = own.map(
      (rule) =>
        html`<li class="${rule.ok ? 'ok' : 'fail'}">
          <code>${rule.text}</code> ${rule.ok ? '' : html`<strong>fails</strong> `}<span class="quiet"
            >${took(rule.text, rule.consumed)}</span
          >
        </li>`,
    )
    return html`<h4>Rules for ${list === 'expected_materials' ? 'materials' : 'products'}</h4>
      <ol class="rulelist">
        ${items}
      </ol>`
  })
}

function took(text: string, consumed: number): string {
  return /^(?:DISALLOW|REQUIRE) /.test(text) ? '' : `took ${figure(consumed)}`
}
