/** Script and style of a report, as `build.mjs` makes them; `reportPage` writes them into the file. */
declare module '#assets' {
  /** Minified source of explorer.ts. */
  export const script: string
  /** Minified style.css. */
  export const style: string
  /** Sources for a content security policy: `sha256-…` of the two texts. */
  export const scriptHash: string
  export const styleHash: string
}
