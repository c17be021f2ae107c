/** The face of publishing inside this package. Re-exports only. */
export { findRegistry, uploadEnvironment, withoutCredentials, type RegistryAccess, type RegistrySearch } from './access.ts'
export { findClient, isClientName, isPackedByUs, runClient, uploadCommand } from './client.ts'
export type { Client, ClientName, ClientSearch } from './client.ts'
export { isPacking, makingOf } from './content.ts'
export { packedManifest, type Manifest } from './manifest.ts'
export { checkPackage, compareServed, packageFolder } from './outcome.ts'
export { packPrivately, privateFolder, refuseSwapped, type PrivateTarball } from './packing.ts'
export { fetchPublished, type Published, type RegistryQuery } from './registry.ts'
