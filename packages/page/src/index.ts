/** The face of `intoto-page`: the Report as HTML. Re-exports only. */
export { reportBody, reportPage, verdictOf, type PageContext } from './report.ts'
