/**
 * Keyless signing and verification through `sigstore`, which users install if they want it: a certificate for an OpenID identity stands in for a key,
 * a log and time stamps for its validity. Commands call it. It goes to a network only to sign; verification works with the trusted root that it
 * is given, and never without an identity to expect.
 */
import { createRequire } from 'node:module'
import { InTotoError, stringifyJson, utf8, type JsonObject, type Statement } from 'intoto'
import { readBundle } from './bundle.ts'

/** How to get a certificate and where to leave traces. */
export interface KeylessSigning {
  /** OpenID token for the audience `sigstore`; taken from the CI system's own service when not given. */
  identityToken?: string
  /** Addresses of the certificate authority, the log and the time stamping service; the public ones of Sigstore, without time stamps, unless given. */
  fulcioUrl?: string
  rekorUrl?: string
  tsaUrl?: string
  /** Type of the log's entry; `intoto` for logs that do not take `dsse`. */
  logEntry?: 'dsse' | 'intoto'
  /** For one request, in milliseconds; 20 seconds unless given. */
  timeout?: number
}

/** What a keyless bundle has to show. */
export interface KeylessTrust {
  /** Contents of a Sigstore `trusted_root.json`, obtained over a channel that is trusted. */
  trustedRoot: Uint8Array
  /** Exactly the subject alternative name of the certificate: an e-mail address, or the URI of a workflow. */
  identity: string
  /** Exactly the OpenID issuer. */
  issuer: string
}

/** The little of the library that is used; its own packages are CommonJS and reach each other, so they are loaded from where it lies. */
interface Sigstore {
  sign: {
    CIContextProvider: new (audience: string) => IdentityProvider
    FulcioSigner: new (o: object) => object
    RekorWitness: new (o: object) => object
    TSAWitness: new (o: object) => object
    DSSEBundleBuilder: new (o: object) => { create(artifact: { data: Buffer; type: string }): Promise<object> }
  }
  verify: {
    Verifier: new (
      material: object,
      o: object,
    ) => { verify(entity: object): { identity?: { subjectAlternativeName?: string; extensions?: { issuer?: string } } } }
    toTrustMaterial: (root: object) => object
    toSignedEntity: (bundle: object) => object
  }
  bundle: { bundleFromJSON: (json: unknown) => object; bundleToJSON: (bundle: object) => object }
  specs: { TrustedRoot: { fromJSON: (json: unknown) => object } }
}

interface IdentityProvider {
  getToken(): Promise<string>
}

/**
 * A Sigstore bundle of a Statement, signed with a key that lives for this one signature.
 * @throws InTotoError E_UNSUPPORTED: `sigstore` is not installed; E_KEY: no identity, or a service refused it or can't be reached
 */
export async function signKeyless(statement: Statement, o: KeylessSigning = {}): Promise<Uint8Array> {
  const { sign, bundle } = loadSigstore()
  const { identityToken, fulcioUrl: fulcioBaseURL, rekorUrl: rekorBaseURL, tsaUrl: tsaBaseURL } = o
  const request = { timeout: o.timeout ?? 20_000, retry: { retries: 1 } }
  const identityProvider: IdentityProvider =
    identityToken === undefined ? new sign.CIContextProvider('sigstore') : { getToken: async () => identityToken }
  const signer = new sign.FulcioSigner({ fulcioBaseURL, identityProvider, ...request })
  const witnesses = [new sign.RekorWitness({ rekorBaseURL, entryType: o.logEntry ?? 'dsse', fetchOnConflict: false, ...request })]
  if (tsaBaseURL !== undefined) witnesses.push(new sign.TSAWitness({ tsaBaseURL, ...request }))
  const data = Buffer.from(utf8(stringifyJson(statement as unknown as JsonObject)))
  try {
    const made = await new sign.DSSEBundleBuilder({ signer, witnesses }).create({ data, type: 'application/vnd.in-toto+json' })
    return utf8(JSON.stringify(bundle.bundleToJSON(made)))
  } catch (cause) {
    const message = `keyless signing failed: ${reasonOf(cause)}`
    const fix =
      'in CI, give the job the permission to request an OpenID token (id-token: write); elsewhere, pass a token; check the addresses of the services'
    throw new InTotoError({ code: 'E_KEY', message, fix }, { cause })
  }
}

/**
 * The Statement of a keyless bundle whose certificate, log entries, times and signature hold under the trusted root, and whose signer is exactly the
 * one expected.
 * @throws InTotoError E_SIGNATURE: it does not hold; E_ACTOR: somebody else signed it; E_FORMAT: no bundle, or no trusted root; E_CONFIG: no identity
 * to expect; E_UNSUPPORTED: `sigstore` is not installed
 */
export function verifyKeyless(bytes: Uint8Array, trust: KeylessTrust): Statement {
  const { verify, bundle, specs } = loadSigstore()
  if (trust.identity === '' || trust.issuer === '') {
    throw new InTotoError({
      code: 'E_CONFIG',
      message: 'a keyless signature needs an identity and an issuer to expect',
      fix: 'name both, to the letter',
    })
  }
  const { metadata, keyless } = readBundle(bytes)
  if (!keyless) throw refusal('it is signed by a key, not by a certificate', 'give the public key')
  const material = trustMaterial(trust.trustedRoot, (json) => verify.toTrustMaterial(specs.TrustedRoot.fromJSON(json)))
  const { identity } = held(() => {
    const entity = verify.toSignedEntity(bundle.bundleFromJSON(JSON.parse(new TextDecoder().decode(bytes))))
    return new verify.Verifier(material, { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 }).verify(entity)
  })
  // the library's own policy takes the identity as a pattern that may match anywhere
  if (identity?.subjectAlternativeName !== trust.identity || identity.extensions?.issuer !== trust.issuer) {
    const [actual, expected] = [
      `${identity?.subjectAlternativeName} (${identity?.extensions?.issuer})`,
      `${trust.identity} (${trust.issuer})`,
    ]
    const message = 'the bundle is signed by another identity than the one expected'
    throw new InTotoError({
      code: 'E_ACTOR',
      message,
      expected: { text: expected },
      actual: { text: actual },
      fix: 'do not trust it, unless this signer is meant',
    })
  }
  return metadata.payload
}

function trustMaterial(root: Uint8Array, convert: (json: unknown) => object): object {
  try {
    const json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(root)) as { mediaType?: unknown } | null
    if (typeof json?.mediaType !== 'string' || !json.mediaType.includes('sigstore.trustedroot')) throw new TypeError('another media type')
    return convert(json)
  } catch (cause) {
    const fix = 'give the trusted_root.json of the Sigstore instance that was used for signing'
    throw new InTotoError({ code: 'E_FORMAT', message: 'the trusted root is not a Sigstore trusted_root.json', fix }, { cause })
  }
}

/** Whatever the library throws on bytes from outside is a "no". */
function held<T>(check: () => T): T {
  try {
    return check()
  } catch (cause) {
    throw refusal(reasonOf(cause), 'fetch it again, or do not trust it', cause)
  }
}

function refusal(reason: string, fix: string, cause?: unknown): InTotoError {
  return new InTotoError({ code: 'E_SIGNATURE', message: `the bundle does not hold: ${reason}`, fix }, cause === undefined ? {} : { cause })
}

/** One line of what a library threw; its codes tell more than its messages, which may quote what a server sent. */
function reasonOf(cause: unknown): string {
  const { code, message } = cause as { code?: unknown; message?: unknown }
  const text = typeof message === 'string' ? message.replace(/\s+/g, ' ').slice(0, 200) : 'unknown reason'
  return typeof code === 'string' ? `${text} (${code})` : text
}

function loadSigstore(): Sigstore {
  try {
    const load = createRequire(createRequire(import.meta.url).resolve('sigstore'))
    return {
      sign: load('@sigstore/sign') as Sigstore['sign'],
      verify: load('@sigstore/verify') as Sigstore['verify'],
      bundle: load('@sigstore/bundle') as Sigstore['bundle'],
      specs: load('@sigstore/protobuf-specs') as Sigstore['specs'],
    }
  } catch (cause) {
    const message = 'keyless signatures need the package "sigstore", which is not installed'
    throw new InTotoError({ code: 'E_UNSUPPORTED', message, fix: 'npm install --save-dev sigstore@4' }, { cause })
  }
}
