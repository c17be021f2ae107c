/**
 * The chain of custody as a graph: which step received how many artifacts from which other, and where that failed. Pure: a Report in, nodes and
 * lanes out; chain.ts draws them. An edge is what a MATCH rule of the layout compares, nothing is guessed from names.
 */
import { parseRuleText, type Link, type Problem, type Report, type StepReport } from 'intoto'

/** Artifacts on their way from one step to another. */
export interface Flow {
  readonly from: string
  readonly to: string
  /** What is compared: materials or products of `to` with materials or products of `from`. */
  readonly side: 'materials' | 'products'
  readonly source: 'materials' | 'products'
  /** Artifacts that are the same on both ends. */
  count: number
  status: 'ok' | 'fail'
  readonly rules: string[]
  /** Numbers of the problems, in the order in which the page lists them. */
  readonly problems: number[]
}

/** A step, an inspection, or what lies on the disk. */
export interface Node {
  readonly name: string
  readonly kind: StepReport['kind'] | 'product'
  readonly status: StepReport['status']
  readonly step?: StepReport
  readonly flows: readonly Flow[]
  /** Numbers of the problems that concern it. */
  readonly problems: readonly number[]
}

/** A line beside the nodes: it leaves one and enters others further down. */
export interface Lane {
  /** Position, counted from the nodes outward. */
  readonly index: number
  readonly from: number
  readonly to: number
  readonly status: Flow['status']
  readonly flows: readonly Flow[]
}

/** A drawing of a chain. */
export interface Graph {
  readonly nodes: readonly Node[]
  readonly lanes: readonly Lane[]
}

/** More lanes than these would leave no room for the steps on a phone; what has none is told in words only. */
const mostLanes = 6

/** The graph of a Report. `problems` are its problems as listed on the page. */
export function graphOf(report: Report, problems: readonly Problem[]): Graph {
  const steps = [...report.steps, ...report.inspections]
  const nodes: Node[] = steps.map((step) => {
    const own = numbersOf(problems, (p) => p.step === step.name || p.step?.startsWith(`${step.name}/`) === true)
    return { name: step.name, kind: step.kind, status: step.status, step, flows: flowsInto(step, problems), problems: own }
  })
  const product = productNode(report, problems)
  if (product !== undefined) nodes.push(product)
  return { nodes, lanes: lanesOf(nodes) }
}

function numbersOf(problems: readonly Problem[], concerns: (p: Problem) => boolean): number[] {
  return problems.flatMap((p, i) => (p.severity === 'error' && concerns(p) ? [i] : []))
}

/** The MATCH rules of a step, those between the same two sides together. */
function flowsInto(step: StepReport, problems: readonly Problem[]): Flow[] {
  const flows = new Map<string, Flow>()
  const flowOf = (text: string, list: string): Flow | undefined => {
    const rule = ruleOf(text)
    if (rule?.kind !== 'MATCH') return undefined
    const side = list === 'expected_materials' ? 'materials' : 'products'
    const source = rule.artifacts === 'PRODUCTS' ? 'products' : 'materials'
    const key = JSON.stringify([rule.step, side, source])
    const flow = flows.get(key) ?? { from: rule.step, to: step.name, side, source, count: 0, status: 'ok', rules: [], problems: [] }
    flows.set(key, flow)
    return flow
  }
  for (const { text, list, consumed } of step.rules) {
    const flow = flowOf(text, list)
    if (flow === undefined) continue
    flow.count += consumed
    flow.rules.push(text)
  }
  problems.forEach((p, i) => {
    if (p.severity !== 'error' || p.rule === undefined || p.rule.step !== step.name || p.step !== step.name) return
    const flow = flowOf(p.rule.text, p.rule.list)
    if (flow === undefined) return
    flow.status = 'fail'
    flow.problems.push(i)
  })
  return [...flows.values()]
}

function ruleOf(text: string): ReturnType<typeof parseRuleText> | undefined {
  try {
    return parseRuleText(text)
  } catch {
    return undefined
  }
}

/** What was compared with the disk, as the last node; each file comes from the last step that made it. */
function productNode(report: Report, problems: readonly Problem[]): Node | undefined {
  const { product } = report
  if (product === undefined) return undefined
  const status = product.added + product.missing + product.changed === 0 ? 'ok' : 'fail'
  const concerned = numbersOf(problems, (p) => p.actual?.label === 'on disk' || (p.code === 'E_PRODUCT' && p.step === undefined))
  const stepNames = new Set(report.steps.map(({ name }) => name))
  const makers = makersOf(
    (report.chain ?? []).filter(({ name }) => stepNames.has(name)),
    product,
  )
  const name = product.path === '' ? '.' : product.path
  const flows = [...makers].map(([from, count]): Flow => {
    const own = concerned.filter((i) => problems[i]?.expected?.label === `${from} wrote`)
    const flowStatus = own.length > 0 ? 'fail' : 'ok'
    return { from, to: name, side: 'products', source: 'products', count, status: flowStatus, rules: [], problems: own }
  })
  return { name, kind: 'product', status, flows, problems: concerned }
}

/** Number of files of the product by the last step whose link names them. */
function makersOf(chain: readonly Link[], product: { path: string; kind: 'folder' | 'file' }): Map<string, number> {
  const last = new Map<string, string>()
  const base = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
  const concerns = (name: string): boolean => {
    if (product.kind === 'file') return base(name) === base(product.path)
    return product.path === '' ? !name.startsWith('/') && !name.startsWith('../') : name.startsWith(`${product.path}/`)
  }
  for (const link of chain) for (const name of Object.keys(link.products)) if (concerns(name)) last.set(name, link.name)
  const makers = new Map<string, number>()
  for (const maker of last.values()) makers.set(maker, (makers.get(maker) ?? 0) + 1)
  return makers
}

/** One lane for what leaves a node and holds, one for what leaves it and fails; each as near to the nodes as there is room. */
function lanesOf(nodes: readonly Node[]): Lane[] {
  const position = new Map(nodes.map(({ name }, i) => [name, i]))
  const spans = new Map<string, { from: number; to: number; status: Flow['status']; flows: Flow[] }>()
  nodes.forEach(({ flows }, to) => {
    for (const flow of flows) {
      const from = position.get(flow.from)
      if (from === undefined || from >= to || (flow.count === 0 && flow.status === 'ok')) continue
      const key = `${from} ${flow.status}`
      const span = spans.get(key) ?? { from, to, status: flow.status, flows: [] }
      spans.set(key, span)
      span.to = to
      span.flows.push(flow)
    }
  })
  const lanes: Lane[] = []
  // Short ways first, so that they run next to the nodes and long ones around them.
  for (const span of [...spans.values()].sort((a, b) => a.to - a.from - (b.to - b.from) || a.from - b.from)) {
    const taken = new Set(lanes.filter((lane) => lane.from < span.to && span.from < lane.to).map(({ index }) => index))
    const index = Array.from({ length: mostLanes }, (_, i) => i).find((i) => !taken.has(i))
    if (index === undefined) continue
    lanes.push({ ...span, index })
  }
  return lanes
}
