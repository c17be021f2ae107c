/** Problems, one after the other: what and where, both pieces of evidence, the rule with its place, the likely cause, what to do next. */
import type { Evidence, Problem } from 'intoto'
import { html, type Markup } from './html.ts'
import { signOf } from './sign.ts'
import { figure, subjectOf, textOf } from './phrase.ts'

/** Most problems that are written in full; only those have an anchor. */
export const mostProblems = 300

/** All problems, in the order given; `problem-N` is the anchor of each. */
export function problemsOf(problems: readonly Problem[]): Markup {
  const left = problems.length - mostProblems
  return html`<ol class="problems">
      ${problems.slice(0, mostProblems).map(problemOf)}
    </ol>
    ${left > 0 && html`<p>And ${figure(left)} more: <code>intoto verify -v</code> prints them all.</p>`}`
}

function problemOf(p: Problem, i: number): Markup {
  const kind = p.severity === 'error' ? 'fail' : 'warn'
  const evidence = [saidBy('expected', p.expected), saidBy('found', p.actual)]
  const rule =
    p.rule &&
    html`<div>
      <dt>rule</dt>
      <dd><code>${p.rule.text}</code> <span class="quiet">${placeOf(p.rule)}</span></dd>
    </div>`
  return html`<li id="problem-${i + 1}" class="problem ${kind}">
    <h3>
      ${signOf(kind)}<span class="code">${p.code}</span>${p.severity === 'warning' && html` <span class="kind">warning</span>`}
      <span class="name">${subjectOf(p)}</span>
    </h3>
    <p class="what">${textOf(p)}</p>
    <dl>
      ${evidence}${rule}${
        p.cause !== undefined &&
        html`<div>
          <dt>likely</dt>
          <dd>${p.cause}</dd>
        </div>`
      }${
        p.fix.length > 0 &&
        html`<div>
          <dt>try</dt>
          <dd>${p.fix.map((fix) => html`<p>${adviceOf(fix)}</p>`)}</dd>
        </div>`
      }
    </dl>
  </li>`
}

function placeOf(rule: NonNullable<Problem['rule']>): string {
  return `${rule.list === 'expected_materials' ? 'materials' : 'products'} of “${rule.step}”, rule\u00a0${rule.index + 1}`
}

function saidBy(fallback: string, said: Evidence | undefined): Markup | undefined {
  if (said === undefined) return undefined
  return html`<div class="evidence">
    <dt>${said.label ?? fallback}</dt>
    <dd><code>${said.text}</code>${said.from !== undefined && html`<span class="from">${said.from}</span>`}</dd>
  </div>`
}

/** What can be typed is set as such. */
function adviceOf(fix: string): Markup {
  return /^(?:npx |intoto |npm |git |-[a-zA-Z-])/.test(fix) ? html`<code>${fix}</code>` : html`${fix}`
}
