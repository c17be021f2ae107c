/**
 * The admission as a function from request to response, after the Fetch standard, to be put behind any server. It answers reviews of Kubernetes and our
 * own questions, each within its time, and never with a yes that no verification has given: what nobody foresaw is a refusal, too.
 */
import { performance } from 'node:perf_hooks'
import { InTotoError, parseJson, type JsonObject } from 'intoto'
import { problemOf, reasonOf, RequestError, type Verdict } from './answer.ts'
import { Reception } from './body.ts'
import { Gate } from './gate.ts'
import { createJudge, type Judge } from './judgement.ts'
import { checkedLimits, type AdmissionLimits, type AdmissionOptions, type Decision } from './options.ts'
import { answerProblem, answerQuestion, readQuestion, type Question } from './plain.ts'
import { answerReview, isReview, readReview } from './review.ts'

/** Answers one request. Never rejects. */
export type AdmissionHandler = (request: Request) => Promise<Response>

/** Above what an object of Kubernetes can have within the size that it stores, or can use. */
const jsonLimits = { depth: 128, values: 500_000, artifacts: 50_000 }

/**
 * Makes the handler.
 * @throws InTotoError E_CONFIG for a limit that is none
 */
export function createAdmissionHandler(options: AdmissionOptions): AdmissionHandler {
  const limits = checkedLimits(options.limits)
  const admission = new Admission(createJudge(options, limits), limits)
  return async (request) => {
    const start = performance.now()
    const { response, ...decision } = await admission.answer(request)
    try {
      options.log?.({ ...decision, status: response.status, milliseconds: Math.round(performance.now() - start) })
    } catch {
      // a log that fails changes no decision
    }
    return response
  }
}

type Answer = Omit<Decision, 'status' | 'milliseconds'> & { readonly response: Response }

class Admission {
  private readonly judge: Judge
  private readonly limits: AdmissionLimits
  private readonly reception: Reception
  private readonly gate: Gate
  private answering = 0

  constructor(judge: Judge, limits: AdmissionLimits) {
    this.judge = judge
    this.limits = limits
    this.reception = new Reception(limits)
    this.gate = new Gate(limits.verdicts)
  }

  async answer(request: Request): Promise<Answer> {
    const patience = new AbortController()
    const milliseconds = patienceOf(request, this.limits.timeout)
    const timer = setTimeout(() => patience.abort(late(milliseconds)), milliseconds)
    this.answering++
    try {
      if (this.answering > this.limits.requests) throw busy(this.limits.requests)
      return await this.answerObject(await this.read(request, patience.signal), patience.signal)
    } catch (error) {
      const status = error instanceof RequestError ? error.status : 500
      const found = problemOf(error)
      const response = answerProblem(status, found, headersFor(status))
      const unforeseen = error instanceof InTotoError ? {} : { error }
      return { response, allowed: false, asked: 'request', subjects: [], reasons: [reasonOf(found)], ...unforeseen }
    } finally {
      this.answering--
      clearTimeout(timer)
    }
  }

  /** @throws RequestError for what is no request that could be answered */
  private async read(request: Request, signal: AbortSignal): Promise<JsonObject> {
    if (request.method !== 'POST')
      throw new RequestError(405, { code: 'E_FORMAT', message: 'only POST is answered', fix: 'send a POST with JSON' })
    const type = request.headers.get('content-type') ?? ''
    if (!/^application\/json *(?:; *charset=(?:utf-8|"utf-8") *)?$/i.test(type)) {
      const message = 'the content type is not application/json in UTF-8'
      throw new RequestError(415, { code: 'E_FORMAT', message, fix: 'send the header "content-type: application/json"' })
    }
    const bytes = await this.reception.receive(request, signal)
    let value: unknown
    try {
      ;({ value } = parseJson(bytes, { what: 'request', limits: { ...jsonLimits, fileBytes: this.limits.bodyBytes } }))
    } catch (error) {
      throw error instanceof InTotoError ? new RequestError(400, { ...error.problem, fix: 'send one JSON object' }) : error
    }
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
    throw new RequestError(400, { code: 'E_FORMAT', message: 'the request is no JSON object', fix: 'send one JSON object' })
  }

  private async answerObject(value: JsonObject, signal: AbortSignal): Promise<Answer> {
    if (isReview(value)) {
      const review = readReview(value, this.limits.containers)
      const { verdicts, error } = await this.judgeAll(
        review.images.map((text) => ({ kind: 'image', text })),
        signal,
      )
      return { ...answerReview(review, verdicts), asked: review.asked, subjects: review.images, ...(error === undefined ? {} : { error }) }
    }
    const question = readQuestion(value)
    const { verdicts, error } = await this.judgeAll([question], signal)
    const [verdict] = verdicts as [Verdict]
    const reasons = verdict.problems.filter(({ severity }) => severity === 'error').map(reasonOf)
    const { allowed, subject } = verdict
    return {
      response: answerQuestion(verdict),
      allowed,
      asked: question.kind,
      subjects: [subject],
      reasons,
      ...(error === undefined ? {} : { error }),
    }
  }

  /** Each of them, in turn with those of all other requests. What goes wrong is a refusal of that one. */
  private async judgeAll(questions: readonly Question[], signal: AbortSignal): Promise<{ verdicts: Verdict[]; error?: unknown }> {
    const faults: unknown[] = []
    const verdicts = questions.map(async (question): Promise<Verdict> => {
      try {
        return await this.gate.run(() => this.judge(question, signal), signal)
      } catch (error) {
        if (!(error instanceof InTotoError)) faults.push(error)
        return { subject: question.text, allowed: false, problems: [problemOf(error)] }
      }
    })
    const all = await Promise.all(verdicts)
    return faults.length === 0 ? { verdicts: all } : { verdicts: all, error: faults[0] }
  }
}

/** Kubernetes says how long it waits (`?timeout=10s`); an answer after that is none. */
function patienceOf(request: Request, most: number): number {
  const seconds = /[?&]timeout=(\d{1,4})s(?:&|$)/.exec(request.url)?.[1]
  return seconds === undefined ? most : Math.min(most, Math.max(100, Number(seconds) * 900))
}

function late(milliseconds: number): RequestError {
  const message = `no verdict within ${milliseconds} ms (timeout)`
  return new RequestError(504, { code: 'E_IO', message, fix: 'try again; if it stays so, look whether the stores and the registry answer' })
}

function busy(most: number): RequestError {
  const message = `more than the limit of ${most} requests at the same time (requests)`
  return new RequestError(503, { code: 'E_IO', message, fix: 'try again in a moment' })
}

function headersFor(status: number): Record<string, string> {
  if (status === 405) return { allow: 'POST' }
  return status === 503 ? { 'retry-after': '1' } : {}
}
