/** The Report as one HTML file: verdict, chain of custody, search, problems. The rendering itself is the page's, which shows the same in the browser. */
import type { Report } from 'intoto'
import { reportPage } from 'intoto-page'
import type { Context } from './format.ts'

/** A whole document; the search in it needs a Report that was traced. */
export function html(report: Report, context: Context): string {
  return reportPage(report, context)
}
