/** Which store an address means: the one place that knows the forms. Commands call it with what a person typed. */
import { InTotoError } from 'intoto'
import { ArchivistaStore } from './archivista.ts'
import { DevGuardStore } from './devguard.ts'
import { FolderStore } from './folder.ts'
import { OciStore } from './referrers.ts'
import type { EvidenceStore, StoreOptions } from './store.ts'

/**
 * The store at an address: `dir:PATH`, `oci://HOST/REPOSITORY`, `archivista+https://HOST`, `devguard+https://HOST/ASSET`. Nothing is opened or asked before the first push or pull.
 * @throws InTotoError E_CONFIG for any other address, and for one that must not be used
 */
export function openStore(reference: string, o: StoreOptions = {}): EvidenceStore {
  if (reference.startsWith('dir:') && reference !== 'dir:') return new FolderStore(reference.slice('dir:'.length), o)
  if (reference.startsWith('oci://')) return new OciStore(reference, o)
  if (reference.startsWith('archivista+')) return new ArchivistaStore(reference, o)
  if (reference.startsWith('devguard+')) return new DevGuardStore(reference, o)
  const message = `${JSON.stringify(reference.replace(/\/\/[^/]*@/, '//…@').slice(0, 200))} is not the address of a store`
  throw new InTotoError({
    code: 'E_CONFIG',
    message,
    fix: 'use dir:PATH, oci://HOST/REPOSITORY, archivista+https://HOST or devguard+https://HOST/ASSET',
  })
}
