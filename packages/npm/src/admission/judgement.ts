/**
 * From a name to a verdict: which layout promises it, where its evidence is, what the library says. The handler calls it for each image and package. It
 * knows no HTTP; whatever is refused on the way is a "no" with its reason.
 */
import { compilePattern, InTotoError, type Layout, type LinkSource, type Metadata, type Report, type VerifyOptions } from 'intoto'
import type { Subject } from '../store/index.ts'
import { problemOf, type Verdict } from './answer.ts'
import { linksAbout } from './evidence.ts'
import { judgeImage } from './image.ts'
import type { AdmissionLayout, AdmissionLimits, AdmissionOptions } from './options.ts'
import { judgePackage } from './package.ts'
import type { Question } from './plain.ts'
import { parseImage, parsePackage, type ImageReference, type PackageReference } from './reference.ts'

/** Reaches verdicts, and looks for no more evidence when the signal is given. Rejects only for what nobody foresaw. */
export type Judge = (question: Question, signal: AbortSignal) => Promise<Verdict>

/** Judges by these layouts. */
export function createJudge(o: AdmissionOptions, limits: AdmissionLimits): Judge {
  const layouts = o.layouts.map((entry) => ({ entry, matches: entry.for.map(compilePattern) }))
  const find = ({ text, name }: ImageReference | PackageReference): AdmissionLayout => {
    const found = layouts.find(({ matches }) => matches.some((matchesName) => matchesName(name)))
    if (found !== undefined) return found.entry
    const message = `${text}: no layout promises anything about ${name}`
    throw new InTotoError({ code: 'E_CONFIG', message, fix: 'give the admission a layout for it, or do not deploy it' })
  }
  return async (question, signal) => {
    try {
      const reference = question.kind === 'image' ? parseImage(question.text) : parsePackage(question.text, question.integrity)
      const entry = find(reference)
      const trust = { ...(await trustIn(entry)), options: optionsOf(entry, o), signal }
      const report = await (reference.kind === 'image' ? image(reference, trust) : npmPackage(reference, trust))
      return { subject: reference.text, allowed: report.ok, problems: report.problems, report }
    } catch (error) {
      if (!(error instanceof InTotoError)) throw error
      return { subject: question.text, allowed: false, problems: [problemOf(error)] }
    }
  }

  async function image(reference: ImageReference, trust: Trust): Promise<Report> {
    const { entry, layout } = trust
    const links = await linksAbout({ sha256: reference.sha256 }, entry.evidence, trust.signal)
    return judgeImage(reference, { layout, options: { ...trust.options, links }, imageStep: entry.imageStep })
  }

  async function npmPackage(reference: PackageReference, trust: Trust): Promise<Report> {
    if (o.registry === undefined) {
      const message = `${reference.text}: no registry is configured, so there is no tarball to verify`
      throw new InTotoError({ code: 'E_CONFIG', message, fix: 'tell the admission where packages come from' })
    }
    const links = (subject: Subject): Promise<LinkSource> => linksAbout(subject, trust.entry.evidence, trust.signal)
    return judgePackage(reference, {
      layout: trust.layout,
      options: trust.options,
      links,
      access: await o.registry(reference.packageName),
      limits,
    })
  }
}

interface Trust {
  readonly entry: AdmissionLayout
  readonly layout: Metadata<Layout>
  readonly options: Omit<VerifyOptions, 'links'>
  /** Given when nobody waits for the verdict any more. */
  readonly signal: AbortSignal
}

async function trustIn(entry: AdmissionLayout): Promise<Pick<Trust, 'entry' | 'layout'>> {
  return { entry, layout: typeof entry.layout === 'function' ? await entry.layout() : entry.layout }
}

function optionsOf(entry: AdmissionLayout, { now, metadataLimits }: AdmissionOptions): Omit<VerifyOptions, 'links'> {
  const { keys, parameters, commandMismatch, statements, names, layoutFile } = entry
  return {
    keys,
    ...(parameters === undefined ? {} : { parameters }),
    ...(commandMismatch === undefined ? {} : { commandMismatch }),
    ...(statements === undefined ? {} : { statements }),
    ...(names === undefined ? {} : { names }),
    ...(layoutFile === undefined ? {} : { layoutFile }),
    ...(metadataLimits === undefined ? {} : { limits: metadataLimits }),
    ...(now === undefined ? {} : { now: now() }),
  }
}
