/**
 * The inspection that unpacks the tarball at hand, carried out in memory: for verifiers that run no commands. Pages and the admission handler call it;
 * the command line unpacks into a folder. Portable: hash and reading come in.
 */
import { createLink, emptyRecord, InTotoError, type Artifacts, type Inspect } from 'intoto'

/** The tarball that inspections find in their folder. */
export interface UnpackedFile {
  /** As the layout expects it: `app-1.0.0.tgz`. */
  readonly name: string
  /** Of the file, in lower-case hex. */
  readonly sha256: string
  /** What `tar xzf` would leave beside it. @throws InTotoError as reading a tarball does */
  read(): Promise<Artifacts>
}

/** `tar xzf FILE`, in the spellings that the command line answers by itself. */
export function isUnpack([program, flags = '', file = '', ...more]: readonly string[]): boolean {
  return program === 'tar' && /^-?(?:xzf|xf|zxf)$/.test(flags) && /^[^/]+\.(?:tgz|tar\.gz)$/.test(file) && more.length === 0
}

/**
 * Answers the inspections of one verification; each must be `isUnpack`, and a second one finds what the first has left.
 * @throws InTotoError E_INSPECTION from what it returns: another file, unpacked already, or no tarball that is read
 */
export function unpackInMemory(tarball: UnpackedFile): Inspect {
  let files: Artifacts = emptyRecord()
  files[tarball.name] = Object.assign(emptyRecord<string>(), { sha256: tarball.sha256 })
  return async (inspection) => {
    const [file = ''] = inspection.run.slice(2)
    const failed = (message: string, fix: string | readonly string[]): InTotoError =>
      new InTotoError({ code: 'E_INSPECTION', message: `inspection ${inspection.name}: ${message}`, step: inspection.name, fix })
    const materials: Artifacts = Object.assign(emptyRecord(), files)
    if (!isUnpack(inspection.run)) throw failed('it is no command that is answered here', 'verify where commands may run')
    if (file !== tarball.name) throw failed(`there is no "${file}"`, 'give the tarball under the name that the layout expects')
    if (Object.keys(materials).length > 1) throw failed('the tarball is unpacked already', 'let the layout unpack it once')
    const unpacked = await tarball.read().catch((error: unknown) => {
      throw error instanceof InTotoError ? failed(error.problem.message, error.problem.fix) : error
    })
    files = Object.assign(emptyRecord(), materials, unpacked)
    return createLink({
      name: inspection.name,
      command: inspection.run,
      materials,
      products: files,
      byproducts: { 'return-value': 0 },
    })
  }
}
