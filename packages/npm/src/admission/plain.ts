/**
 * Our own requests and answers: one image or one package, asked in plain JSON (`schema/admission.schema.json`). The handler reads and writes them here.
 * The status says what the body says, so that a client that looks at nothing else is right.
 */
import type { JsonObject, JsonValue, Problem } from 'intoto'
import { jsonResponse, reasonsOf, RequestError, warningsOf, type Verdict } from './answer.ts'

/** What is asked for. */
export interface Question {
  readonly kind: 'image' | 'package'
  readonly text: string
  /** `sha512-…` of the package's tarball. */
  readonly integrity?: string
}

/**
 * Reads a question.
 * @throws RequestError 400
 */
export function readQuestion(value: JsonObject): Question {
  const stranger = Object.keys(value).find((name) => !['image', 'package', 'integrity'].includes(name))
  if (stranger !== undefined) throw malformed(`${JSON.stringify(stranger.slice(0, 80))} is no member of a request`)
  const { image, package: named, integrity } = value
  if ((image === undefined) === (named === undefined)) throw malformed('expected either "image" or "package"')
  const kind = image === undefined ? 'package' : 'image'
  const text = image ?? named
  if (typeof text !== 'string') throw malformed(`"${kind}" is no text`)
  if (integrity === undefined) return { kind, text }
  if (kind !== 'package' || !isIntegrity(integrity)) throw malformed('"integrity" is sha512- and base64, of a package')
  return { kind, text, integrity }
}

function isIntegrity(value: JsonValue): value is string {
  return typeof value === 'string' && /^sha512-[A-Za-z0-9+/]{86}==$/.test(value)
}

function malformed(message: string): RequestError {
  const fix = '{"image": "registry.example/app@sha256:…"} or {"package": "lib@1.0.0"}, or an AdmissionReview'
  return new RequestError(400, { code: 'E_FORMAT', message: `the request is none: ${message}`, fix })
}

/** The answer to a question: 200 is a yes, 403 a no. */
export function answerQuestion({ subject, allowed, problems, report }: Verdict): Response {
  const errors = problems.filter(({ severity }) => severity === 'error')
  const body = { schemaVersion: 1, allowed, subject, reasons: reasonsOf(errors), warnings: warningsOf(problems), problems }
  return jsonResponse(allowed ? 200 : 403, report === undefined ? body : { ...body, report })
}

/** The answer to what is no question, or is not answered. */
export function answerProblem(status: number, problem: Problem, headers: Readonly<Record<string, string>> = {}): Response {
  return jsonResponse(
    status,
    { schemaVersion: 1, allowed: false, reasons: reasonsOf([problem]), warnings: [], problems: [problem] },
    headers,
  )
}
