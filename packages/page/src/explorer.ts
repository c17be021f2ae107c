/** The script of a report file: it makes the search work, and nothing else. Without it the page says all but that. */
import { startSearch } from './search.ts'

startSearch(document)
