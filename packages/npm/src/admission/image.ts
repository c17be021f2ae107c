/**
 * The verdict about an image: its layout holds, and the digest of its manifest is a product of the step that makes images. `judgement.ts` calls it. The
 * image itself is not fetched: its digest stands for every byte of it.
 */
import {
  judge,
  matchDigestSet,
  problem,
  type Layout,
  type Link,
  type Metadata,
  type Problem,
  type Report,
  type VerifyOptions,
} from 'intoto'
import type { ImageReference } from './reference.ts'

/** What an image is judged by. */
export interface ImageTrust {
  readonly layout: Metadata<Layout>
  readonly options: VerifyOptions
  readonly imageStep: string | undefined
}

/** The Report about an image. */
export async function judgeImage(image: ImageReference, { layout, options, imageStep }: ImageTrust): Promise<Report> {
  const steps = layout.payload.steps.map(({ name }) => name)
  const step = imageStep ?? steps.at(-1)
  const report = await judge(layout, { ...options, trace: true })
  if (!report.ok) return report
  const later = (report.chain ?? []).filter(({ name }) => steps.includes(name))
  const maker = later.findIndex(({ name }) => name === step)
  const name = later[maker] && productName(image, later[maker], later.slice(maker + 1))
  const product = { kind: 'file', links: 0, missing: 0, changed: 0 } as const
  if (name !== undefined) return { ...report, product: { ...product, path: name, matched: 1, added: 0 } }
  const problems = [...report.problems, maker < 0 ? withoutStep(image, step) : stranger(image, step)]
  return { ...report, ok: false, problems, product: { ...product, path: image.text, matched: 0, added: 1 } }
}

/** Under which name the step wrote the manifest, unless a later step wrote something else there. */
function productName(image: ImageReference, maker: Link, later: readonly Link[]): string | undefined {
  const digest = { sha256: image.sha256 }
  return Object.keys(maker.products).find(
    (name) =>
      matchDigestSet(digest, maker.products[name]!) &&
      later.every(({ products }) => !Object.hasOwn(products, name) || matchDigestSet(digest, products[name]!)),
  )
}

function stranger({ text, sha256 }: ImageReference, step: string | undefined): Problem {
  return problem({
    code: 'E_PRODUCT',
    ...(step === undefined ? {} : { step }),
    message: `${text}: its digest is no product of "${step}"`,
    actual: { label: 'asked for', text: `sha256 ${sha256}` },
    fix: ['deploy the image that was made by this chain, or put its evidence where it is looked for'],
  })
}

function withoutStep({ text }: ImageReference, step: string | undefined): Problem {
  const named = step === undefined ? '' : ` "${step}"`
  return problem({
    code: 'E_CONFIG',
    message: `${text}: the layout has no step${named} that could make images`,
    fix: 'name another imageStep',
  })
}
