/**
 * Reviews of Kubernetes (`admission.k8s.io/v1`): what is asked, and the answer. The handler reads and writes them here. A review that names its `uid` is
 * answered with a verdict whatever else is wrong with it; any other is no review.
 */
import { InTotoError, problem, type JsonObject, type JsonValue, type Problem } from 'intoto'
import { printable } from 'intoto/node'
import { jsonResponse, problemOf, RequestError, reasonsOf, shorten, warningsOf, type Verdict } from './answer.ts'
import { imagesOf, kindName, record, type Kind } from './workload.ts'

const apiVersion = 'admission.k8s.io/v1'
const kind = 'AdmissionReview'

/** What a review comes to. */
export interface Review {
  readonly uid: string
  /** `CREATE Deployment shop/web`, safe to print. */
  readonly asked: string
  /** Images to judge, each once; none when nothing starts. */
  readonly images: readonly string[]
  /** What makes it a refusal already. */
  readonly refused?: Problem
}

/** Does this body claim to be an object of Kubernetes? */
export function isReview(value: JsonObject): boolean {
  return value['apiVersion'] !== undefined || value['kind'] !== undefined
}

/**
 * Reads a review.
 * @throws RequestError 400 when it can't be answered: another kind or version, no request, no usable uid
 */
export function readReview(value: JsonObject, most: number): Review {
  if (value['apiVersion'] !== apiVersion || value['kind'] !== kind)
    throw noReview(`expected an ${kind} of ${apiVersion}`, `let the webhook's admissionReviewVersions be ["v1"]`)
  const request = value['request']
  if (typeof request !== 'object' || request === null || Array.isArray(request))
    throw noReview('it has no request', 'send what Kubernetes sends')
  const { uid } = request
  if (typeof uid !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(uid)) throw noReview('its request has no uid', 'send what Kubernetes sends')
  const asked = askedOf(request)
  try {
    return { uid, asked, images: startingImages(request, most) }
  } catch (error) {
    if (!(error instanceof InTotoError)) throw error
    return { uid, asked, images: [], refused: problemOf(error) }
  }
}

function noReview(message: string, fix: string): RequestError {
  return new RequestError(400, { code: 'E_FORMAT', message: `the review can't be answered: ${message}`, fix })
}

/** For people: operation, kind and name, as far as they are there. */
function askedOf(request: JsonObject): string {
  const text = (value: JsonValue | undefined): string => (typeof value === 'string' ? shorten(printable(value), 253) : '')
  const member = (value: JsonValue | undefined, name: string): string =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? text(value[name]) : ''
  const { namespace, name, object } = request
  const metadata = typeof object === 'object' && object !== null && !Array.isArray(object) ? object['metadata'] : undefined
  const own = text(name) || member(metadata, 'name') || `${member(metadata, 'generateName')}…`
  const place = text(namespace) === '' ? own : `${text(namespace)}/${own}`
  return [text(request['operation']), member(request['kind'], 'kind') || 'object', place].filter((word) => word !== '').join(' ')
}

/** The images that start when this is let through. */
function startingImages(request: JsonObject, most: number): string[] {
  const { operation } = request
  if (operation === 'DELETE') return []
  if (operation !== 'CREATE' && operation !== 'UPDATE') {
    const what = typeof operation === 'string' ? shorten(printable(operation), 40) : 'an unknown operation'
    const message = `${what} is nothing that images say something about`
    throw new InTotoError({ code: 'E_UNSUPPORTED', message, fix: "let the webhook's rules name CREATE and UPDATE alone" })
  }
  const asked = kindOf(request['kind'])
  const isUpdate = operation === 'UPDATE'
  const images = imagesOf(request['object'], asked, most)
  const subresource = request['subResource'] ?? ''
  if (!isKnown(subresource, kindName(asked), isUpdate)) {
    const message = `the subresource ${JSON.stringify(subresource).slice(0, 80)} of ${kindName(asked)} is not known here`
    throw new InTotoError({
      code: 'E_UNSUPPORTED',
      message,
      fix: "let the webhook's rules name pods, pods/ephemeralcontainers, deployments, … alone",
    })
  }
  if (!isUpdate) return [...new Set(images.values())]
  const before = record(request['oldObject'], 'oldObject')
  if (subresource === 'status' || isBeingDeleted(before)) return []
  if (kindName(asked) !== 'v1 Pod') return [...new Set(images.values())]
  // a pod that keeps its images starts nothing: its labels can be changed when the promise behind them is out of date
  const known = imagesOf(before, asked, most)
  return [...new Set([...images].filter(([place, image]) => known.get(place) !== image).map(([, image]) => image))]
}

function kindOf(value: JsonValue | undefined): Kind {
  const { group, version, kind: name } = record(value, 'kind')
  // the group of Pod is empty, and may be left out
  const named = { group: group ?? '', version, kind: name }
  if (Object.values(named).every((member) => typeof member === 'string')) return named as Kind
  throw new InTotoError({ code: 'E_FORMAT', message: 'kind names no group, version and kind', fix: 'send what Kubernetes sends' })
}

function isKnown(subresource: JsonValue, kindOfObject: string, isUpdate: boolean): boolean {
  if (subresource === '') return true
  if (!isUpdate) return false
  return subresource === 'status' || (kindOfObject === 'v1 Pod' && (subresource === 'ephemeralcontainers' || subresource === 'resize'))
}

/** Nothing is started for an object that is on its way out, and it must be possible to let go of it. Only the API server sets this time. */
function isBeingDeleted(before: JsonObject): boolean {
  const { metadata } = before
  const time = typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata) ? metadata['deletionTimestamp'] : undefined
  return typeof time === 'string' && time !== ''
}

/** The answer to a review: all of its images, or none. */
export function answerReview(
  { uid, refused }: Review,
  verdicts: readonly Verdict[],
): { response: Response; allowed: boolean; reasons: string[] } {
  const allowed = refused === undefined && verdicts.every((verdict) => verdict.allowed)
  const problems = [...(refused === undefined ? [] : [refused]), ...verdicts.flatMap(problemsOf)]
  const reasons = allowed ? [] : reasonsOf(problems)
  const warnings = warningsOf(problems)
  const status = { code: 403, reason: 'Forbidden', message: ['not verified by in-toto', ...reasons].join('\n') }
  const response = { uid, allowed, ...(allowed ? {} : { status }), ...(warnings.length === 0 ? {} : { warnings }) }
  return { response: jsonResponse(200, { apiVersion, kind, response }), allowed, reasons }
}

/** Each names its image, which the verification does not know. */
function problemsOf({ subject, problems }: Verdict): Problem[] {
  const name = shorten(printable(subject), 300)
  return problems.map((one) => (one.message.includes(name) ? one : problem({ ...one, message: `${name}: ${one.message}` })))
}
