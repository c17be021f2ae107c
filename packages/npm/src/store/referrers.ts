/**
 * Evidence in an OCI registry: each file is an artifact that refers to the digest of its subject, as cosign and oras attach theirs. The subject may be
 * an image in the same repository or a tarball that lies elsewhere; a registry has to take both (distribution specification 1.1, "Pushing
 * Manifests with Subject").
 */
import { setTimeout } from 'node:timers/promises'
import { InTotoError, parseJson, problem, type JsonObject } from 'intoto'
import { checkAddress, failed, isLoopback } from './http.ts'
import { fallbackTag, ociIndex, ociManifest, readDescriptor, Registry, type Descriptor } from './registry.ts'
import {
  checkPush,
  checkSubject,
  Intake,
  type EvidenceFile,
  type EvidenceStore,
  type PullOptions,
  type PushResult,
  type StoreOptions,
  type Subject,
} from './store.ts'

/** Type of an artifact that holds nothing but its layers (image specification, "Guidelines for Artifact Usage"). */
const emptyConfig = { mediaType: 'application/vnd.oci.empty.v1+json', bytes: new TextEncoder().encode('{}') }

const title = 'org.opencontainers.image.title'

/** Evidence by what it is; cosign looks for bundles by this very type. */
const mediaTypes = {
  bundle: 'application/vnd.dev.sigstore.bundle.v0.3+json',
  envelope: 'application/vnd.dsse.envelope.v1+json',
  lines: 'application/vnd.in-toto.bundle',
  metablock: 'application/vnd.in-toto.metablock+json',
  other: 'application/vnd.in-toto.evidence',
} as const

/** What counts as evidence when it is found: ours, and bundles and envelopes of others; not their images, SBOMs and the like. */
const known: ReadonlySet<string> = new Set(Object.values(mediaTypes))

/** Requests of one pull at the same time: a thousand files one after the other take minutes, and a registry has other clients. */
const handful = 8

/** Rounds of writing the fallback list and looking whether it stayed. */
const attempts = 12

/** Where a pull asks, and what it has taken in. */
interface Pulling {
  readonly registry: Registry
  readonly intake: Intake
}

/** A store in a repository of an OCI registry. */
export class OciStore implements EvidenceStore {
  readonly reference: string
  private readonly base: URL
  private readonly registry: Registry
  private readonly options: StoreOptions

  /** @throws InTotoError E_CONFIG for an address without repository, with a tag, a password or without TLS */
  constructor(reference: string, options: StoreOptions = {}) {
    const [, host = '', repository = ''] = /^oci:\/\/([^/]+)\/(.+)$/.exec(reference) ?? []
    if (
      !/^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/.test(repository) ||
      repository.length > 255 ||
      !URL.canParse(`https://${host}`)
    ) {
      const message = 'the address of an OCI store is oci://HOST/REPOSITORY, in lower case and without a tag'
      throw new InTotoError({ code: 'E_CONFIG', message, fix: 'name a repository, such as oci://registry.example/team/app' })
    }
    const secure = new URL(`https://${host}`)
    this.base = isLoopback(secure) ? new URL(`http://${host}`) : secure
    checkAddress(this.base)
    this.reference = reference
    this.options = options
    const http = { timeout: options.timeout ?? 30_000, fetch: options.fetch ?? fetch }
    this.registry = new Registry(this.base, repository, { credentials: options.credentials, http })
  }

  async push(files: readonly EvidenceFile[], subject: Subject): Promise<PushResult> {
    checkPush(files, subject)
    if (files.length === 0) return { stored: [], skipped: [] }
    const digest = `sha256:${subject.sha256}`
    const about = (await this.registry.head(digest)) ?? { mediaType: ociManifest, digest, size: subject.size ?? 0 }
    const config = await this.registry.putBlob(emptyConfig.bytes, emptyConfig.mediaType)
    const unlinked: Descriptor[] = []
    const stored: PushResult['stored'] = []
    for (const { name, bytes } of files) {
      const mediaType = mediaTypeOf(name, bytes)
      const layer = { ...(await this.registry.putBlob(bytes, mediaType)), annotations: { [title]: name } }
      const manifest = {
        schemaVersion: 2,
        mediaType: ociManifest,
        artifactType: mediaType,
        config: { ...config },
        layers: [layer],
        subject: { ...about },
      }
      const { linked, ...made } = await this.registry.putManifest(manifest, { mediaType: ociManifest })
      if (!linked) unlinked.push({ ...made, artifactType: mediaType })
      stored.push({ name, reference: `${this.reference}@${made.digest}` })
    }
    if (unlinked.length > 0) await this.tag(digest, unlinked)
    return { stored, skipped: [] }
  }

  /**
   * Adds to the list that stands in for the referrers API. Another client may write at the same moment, and a registry knows no lock: so it is read
   * again until everything is in it.
   */
  private async tag(digest: string, added: readonly Descriptor[]): Promise<void> {
    let complete = 0
    for (let attempt = 0; attempt < attempts; attempt++) {
      // clients that go in step would overwrite each other in every round
      if (attempt > 0) await setTimeout(50 + Math.random() * 100)
      const there = await this.registry.tagged(digest)
      const missing = added.filter((each) => there.every((other) => other.digest !== each.digest))
      complete = missing.length === 0 ? complete + 1 : 0
      // a client that had read the list before we wrote it may still take our entries out: so it is looked at for a while
      if (complete === 3) return
      if (complete > 0) continue
      const manifests = [...there, ...missing].map((each) => ({ ...each }))
      await this.registry.putManifest(
        { schemaVersion: 2, mediaType: ociIndex, manifests },
        { mediaType: ociIndex, tag: fallbackTag(digest) },
      )
    }
    const left = await this.registry.tagged(digest)
    if (added.every((each) => left.some((other) => other.digest === each.digest))) return
    throw failed(
      this.base,
      `the list under tag ${fallbackTag(digest)} does not keep what is added to it`,
      'push again when nobody else does',
    )
  }

  async pull(subject: Subject, { signal }: PullOptions = {}): Promise<EvidenceFile[]> {
    checkSubject(subject)
    const intake = new Intake(this.reference, this.options.limits)
    await intake.during((end) => this.collect(`sha256:${subject.sha256}`, { registry: this.registry.until(end), intake }), signal)
    return intake.all()
  }

  private async collect(digest: string, { registry, intake }: Pulling): Promise<void> {
    const listed = (await registry.referrers(digest)).filter(
      ({ mediaType, artifactType }) => mediaType === ociManifest && (artifactType === undefined || known.has(artifactType)),
    )
    const referrers = [...new Map(listed.map((each) => [each.digest, each])).values()]
    for (const some of handfuls(referrers)) {
      intake.expect(0)
      const manifests = await Promise.all(some.map(async (each) => [each.digest, await registry.manifest(each)] as const))
      const layers = manifests.flatMap(([own, manifest]) => {
        const problemWith =
          manifest === undefined ? 'is listed and gone' : subjectOf(manifest) === digest ? undefined : 'is about another subject'
        if (manifest !== undefined && problemWith === undefined) return layersOf(manifest)
        this.passOver(own, problemWith ?? '')
        return []
      })
      for (const these of handfuls(layers)) {
        intake.expect(...these.map(({ size }) => size))
        const blobs = await Promise.all(these.map(async (layer) => [layer, await registry.blob(layer)] as const))
        for (const [{ annotations }, bytes] of blobs) intake.add(annotations?.[title] ?? '', bytes)
      }
    }
  }

  private passOver(digest: string, why: string): void {
    this.options.warn?.(problem({ code: 'E_IO', severity: 'warning', message: `${this.reference}: passed over ${digest}, which ${why}` }))
  }
}

/** So many as are asked for at the same time. */
function handfuls<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / handful) }, (_, i) => all.slice(i * handful, (i + 1) * handful))
}

/** The layers of a manifest that are evidence. */
function layersOf({ layers }: JsonObject): Descriptor[] {
  return (Array.isArray(layers) ? layers : []).flatMap((entry) => {
    const layer = readDescriptor(entry)
    return layer !== undefined && known.has(layer.mediaType) ? [layer] : []
  })
}

function subjectOf(manifest: JsonObject): string | undefined {
  return readDescriptor(manifest['subject'])?.digest
}

/** What a file is, by its members; JSON Lines by their name, since one line alone is an envelope as well. */
function mediaTypeOf(name: string, bytes: Uint8Array): string {
  if (name.endsWith('.jsonl')) return mediaTypes.lines
  try {
    const { value } = parseJson(bytes)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return mediaTypes.other
    if (value['dsseEnvelope'] !== undefined) return mediaTypes.bundle
    if (value['payload'] !== undefined) return mediaTypes.envelope
    return value['signed'] === undefined ? mediaTypes.other : mediaTypes.metablock
  } catch {
    return mediaTypes.other // a public key, say
  }
}
