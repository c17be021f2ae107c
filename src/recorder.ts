/** The recorder's face, all that bundler files may use of it: begin a run, report to it, close it. Re-exports only. */
export { beginRun } from './recorder/begin.ts'
export { outputFolder, type Run } from './recorder/run.ts'
export { importedFiles, toolFiles } from './recorder/baseline.ts'
export { aliasResolver } from './recorder/reference.ts'
export { endFrame, finishAll } from './recorder/finish.ts'
export { prepare } from './recorder/prepare.ts'
export type { Log } from './recorder/log.ts'
export type { Frame } from './recorder/session.ts'
