/** The Report as SARIF 2.1.0 (OASIS), for code scanning services and editors. */
import type { Problem, Report } from 'intoto'
import { fingerprints } from './fingerprint.ts'
import type { Context } from './format.ts'
import { jsonText } from './json.ts'
import { inOrder, meanings, particulars, pathOf } from './phrase.ts'
import { lineOf, subjectOf, textOf } from '../failure.ts'

/** One run with one result for each problem. */
export function sarif(report: Report, context: Context): string {
  const problems = inOrder(report.problems)
  const prints = fingerprints(problems)
  const codes = [...new Set(problems.map((p) => p.code))].sort()
  const log = {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'intoto', version: context.version, semanticVersion: context.version, rules: codes.map(ruleOf) } },
        invocations: [{ executionSuccessful: true, endTimeUtc: report.time, exitCode: report.ok ? 0 : 1 }],
        results: problems.map((p, i) => ({
          ...resultOf(p, { codes, path: pathOf(p, report, context) }),
          partialFingerprints: { 'problem/v1': prints[i] },
        })),
        columnKind: 'utf16CodeUnits',
        properties: {
          ok: report.ok,
          loosened: context.loosened,
          ...(report.partial === undefined ? {} : { through: report.partial.through }),
        },
      },
    ],
  }
  return `${jsonText(log)}\n`
}

function ruleOf(code: Problem['code']): object {
  return { id: code, shortDescription: { text: meanings[code] }, defaultConfiguration: { level: 'error' } }
}

function resultOf(p: Problem, { codes, path }: { codes: readonly string[]; path: string }): object {
  const lines = [`${subjectOf(p)}: ${textOf(p)}`, ...particulars(p).map(([label, text]) => `${label}: ${text}`)]
  return {
    ruleId: p.code,
    ruleIndex: codes.indexOf(p.code),
    level: p.severity,
    message: { text: lines.join('\n') },
    locations: [{ physicalLocation: { artifactLocation: { uri: uriOf(path) }, ...regionOf(p) } }],
  }
}

/** The line, for metadata that can't be read. */
function regionOf(p: Problem): object {
  const line = lineOf(p)
  return line === undefined ? {} : { region: { startLine: line } }
}

/** A path as a relative reference (RFC 3986); a scheme-like first segment must not be read as one. */
function uriOf(path: string): string {
  const encoded = path
    .replace(/\p{Cs}/gu, '\ufffd')
    .split(/[/\\]/)
    .map(encodeURIComponent)
    .join('/')
  return encoded.startsWith('/') ? `file://${encoded}` : encoded
}
