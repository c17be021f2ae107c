/**
 * What a rendering is, and the list of those that there are. A rendering is a pure function of the Report; each has a file of its own that is
 * loaded when it is asked for.
 */
import type { Report } from 'intoto'
import type { Colors } from '../terminal.ts'

/** What a rendering may know beside the Report. */
export interface Context {
  /** Version of this program. */
  readonly version: string
  /** Folders in which links were looked for. */
  readonly folders: readonly string[]
  /** What was judged, as the caller named it. */
  readonly products: readonly string[]
  /** Flags that made the verdict milder, or changed its time: said aloud wherever the verdict is. */
  readonly loosened: readonly string[]
  /** The working directory below the folder that a service of CI shows files of; nothing outside of one. */
  readonly workspace?: string
  readonly paint: Colors
  readonly verbose: boolean
}

/** The whole output for one Report, ending with a line feed. */
export type Render = (report: Report, context: Context) => string

/** Every rendering by its name on the command line. */
export const formats: Readonly<Record<string, () => Promise<Render>>> = {
  text: async () => (await import('./text.ts')).text,
  json: async () => (await import('./json.ts')).json,
  sarif: async () => (await import('./sarif.ts')).sarif,
  junit: async () => (await import('./junit.ts')).junit,
  github: async () => (await import('./github.ts')).github,
  gitlab: async () => (await import('./gitlab.ts')).gitlab,
  markdown: async () => (await import('./markdown.ts')).markdown,
  html: async () => (await import('./html.ts')).html,
}
