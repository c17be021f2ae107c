/**
 * The Report as HTML: the verdict first, then the chain of custody, the search, the problems. The command line writes it as a file, the verifier
 * page shows it in place. A pure function of the Report: the same bytes for the same Report. Nothing is loaded from anywhere.
 */
import type { Problem, Report } from 'intoto'
import { script, scriptHash, style, styleHash } from '#assets'
import { chainOf } from './chain.ts'
import { html, Markup, scriptJson } from './html.ts'
import { packChain } from './packed.ts'
import { count, expiry, inOrder, moment, subjectOf, tally, textOf, who } from './phrase.ts'
import { problemsOf } from './problem.ts'
import { signOf } from './sign.ts'

/** What a page may know beside the Report. */
export interface PageContext {
  /** Version of the program that verified. */
  readonly version: string
  /** Folders in which links were looked for. */
  readonly folders: readonly string[]
  /** What was judged, as the caller named it. */
  readonly products: readonly string[]
  /** What made the verdict milder, or changed its time. */
  readonly loosened: readonly string[]
}

/** A whole file: one document that needs no other. The search needs a Report that was traced. */
export function reportPage(report: Report, context: PageContext): string {
  const title = `${verdictOf(report)}: ${report.layout.file ?? 'in-toto'}`
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; script-src '${new Markup(scriptHash)}'; style-src '${new Markup(styleHash)}'; img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types intoto"
        />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="generator" content="intoto ${context.version}" />
        <link rel="icon" href="data:," />
        <title>${title}</title>
        ${new Markup(`<style>${style}</style>`)}
      </head>
      <body>
        <main>${reportBody(report, context)}</main>
        <footer>
          <p>
            Written by intoto ${context.version}. This page says what a verification has found; it proves nothing by itself. To be sure,
            verify again.
          </p>
        </footer>
        ${new Markup(`<script>${script}</script>`)}
      </body>
    </html> `
  return `${page.text.trim()}\n`
}

/** What stands in `main`. */
export function reportBody(report: Report, context: PageContext): Markup {
  const problems = inOrder(report.problems)
  const hasSteps = report.steps.length + report.inspections.length > 0
  return html`${headOf(report, problems, context)}
  ${
    hasSteps &&
    html`<section aria-labelledby="chain">
      <h2 id="chain">Chain of custody</h2>
      ${chainOf(report, problems)}
    </section>`
  }
  ${searchOf(report)}
  ${
    problems.length > 0 &&
    html`<section aria-labelledby="problems">
      <h2 id="problems">${title(tally(problems))}</h2>
      ${problemsOf(problems)}
    </section>`
  }`
}

/** The verdict in words. */
export function verdictOf(report: Report): string {
  if (!report.ok) return 'Not verified'
  return report.partial === undefined ? 'Verified' : `Verified up to “${report.partial.through}”`
}

/** Most problems that are named beside the verdict. */
const mostNamed = 3

function headOf(report: Report, problems: readonly Problem[], context: PageContext): Markup {
  const errors = problems.filter((p) => p.severity === 'error')
  const named = errors.slice(0, mostNamed).map(
    (p, i) =>
      html`<li>
        <span class="code">${p.code}</span> <a href="#problem-${i + 1}"><span class="name">${subjectOf(p)}</span></a> ${textOf(p)}
      </li>`,
  )
  const left = errors.length - mostNamed
  const why =
    errors.length > 0 &&
    html`<ul class="first">
      ${named}${left > 0 && html`<li><a href="#problems">and ${count(left, 'more problem')}</a></li>`}
    </ul>`
  return html`<header class="verdict ${report.ok ? 'ok' : 'fail'}">
      <p class="kicker">in-toto verification</p>
      <h1 id="verdict" tabindex="-1">${signOf(report.ok ? 'ok' : 'fail')}${verdictOf(report)}</h1>
      <p class="lead">${leadOf(report)}</p>
      ${why}
    </header>
    <dl class="facts">${factsOf(report, context)}</dl>
    ${context.loosened.map((flag) => html`<p class="note"><strong>Note.</strong> ${flag}</p>`)}`
}

function leadOf(report: Report): string {
  const parts = [
    count(report.steps.length, 'step'),
    ...(report.inspections.length > 0 ? [count(report.inspections.length, 'inspection')] : []),
  ]
  const { product } = report
  if (report.ok) {
    const looked =
      product === undefined
        ? 'No file on disk was looked at: links were compared with links.'
        : `${count(product.matched, 'file')} of ${product.path === '' ? 'the project' : product.path} ${product.matched === 1 ? 'is' : 'are'} as a link says.`
    const partial = report.partial === undefined ? '' : ' Later steps and inspections were not looked at.'
    const warnings = report.problems.length === 0 ? '' : ` ${title(tally(report.problems))}, see below.`
    return `${parts.join(' and ')}, as the layout wants ${report.steps.length === 1 && report.inspections.length === 0 ? 'it' : 'them'}. ${looked}${partial}${warnings}`
  }
  const found = tally(report.problems)
  const all = [...report.steps, ...report.inspections]
  const failing = all.filter(({ status }) => status === 'fail').length
  const open = all.filter(({ status }) => status === 'unchecked').length
  const states = [
    failing > 0 && `${count(failing, 'step')} ${failing === 1 ? 'fails' : 'fail'}`,
    open > 0 && `${open} not checked to the end`,
  ]
  return [found === '' ? 'Nothing was judged' : found, states.filter(Boolean).join(', ')].filter(Boolean).join('. ') + '.'
}

function factsOf(report: Report, context: PageContext): Markup[] {
  const { layout, product } = report
  const row = (term: string, said: Markup | string): Markup =>
    html`<div>
      <dt>${term}</dt>
      <dd>${said}</dd>
    </div>`
  const list = (words: readonly string[]): Markup => html`${words.map((word, i) => html`${i > 0 && ', '}<code>${word}</code>`)}`
  const differing =
    product && (['added', 'missing', 'changed'] as const).filter((kind) => product[kind] > 0).map((kind) => `${product[kind]} ${kind}`)
  const judged = context.products.length > 0 ? list(context.products) : 'links only'
  const isOpen = context.products.length > 0 && product === undefined
  return [
    row('Layout', html`<code>${layout.file ?? 'layout'}</code>`),
    row(
      'Signed by',
      layout.signers.length === 0 ? html`<strong class="bad">none of the given keys</strong>` : layout.signers.map(who).join(', '),
    ),
    row('Expires', html`${expiry(report)}${layout.expires !== undefined && html` <span class="quiet">${moment(layout.expires)}</span>`}`),
    row(
      'Judged',
      html`${judged}${isOpen && html` <span class="quiet">not compared, since the links do not hold</span>`}${differing !== undefined && differing.length > 0 && html` <strong class="bad">${differing.join(', ')}</strong>`}`,
    ),
    ...(context.folders.length > 0 ? [row('Links from', list(context.folders))] : []),
    row('As of', html`<time datetime="${report.time}">${moment(report.time)}</time>`),
  ]
}

/** Stays hidden until the script has something to search. */
function searchOf(report: Report): Markup | undefined {
  const packed = packChain(report)
  if (packed === undefined) return undefined
  return html`<section id="search" aria-labelledby="find" hidden>
    <h2 id="find">Find a file</h2>
    <form role="search">
      <label for="query">Part of a file name, or of a SHA-256</label
      ><input
        id="query"
        type="search"
        autocomplete="off"
        autocapitalize="none"
        spellcheck="false"
        placeholder="dist/index.js"
        aria-describedby="hits"
      />
    </form>
    <p id="hits" class="quiet" role="status"></p>
    <ul id="found" aria-label="Files found"></ul>
    <div id="life" tabindex="-1" hidden></div>
    <script type="application/json" id="links">
      ${scriptJson(packed)}
    </script>
  </section>`
}

function title(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
