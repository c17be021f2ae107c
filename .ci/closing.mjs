/**
 * The closing line of a whole run, from Vitest's JSON: `N passed, N failed`, with skipped tests named first. Called by .ci/run with the exit
 * status so far and the result files; ends with that status, or with 1 when a test was skipped, failed, or none ran.
 */
import { existsSync, readFileSync } from 'node:fs'

const [status, ...files] = process.argv.slice(2)
const testResults = files.filter((file) => existsSync(file)).flatMap((file) => JSON.parse(readFileSync(file, 'utf8')).testResults)
const tests = testResults.flatMap((suite) => suite.assertionResults.map((test) => ({ ...test, suite: suite.name })))
const broken = testResults.filter((suite) => suite.status === 'failed' && !suite.assertionResults.some((test) => test.status === 'failed'))
const skipped = tests.filter((test) => test.status !== 'passed' && test.status !== 'failed')
const passed = tests.filter((test) => test.status === 'passed').length
const failed = tests.filter((test) => test.status === 'failed').length + broken.length

for (const suite of broken) console.log(`did not run: ${suite.name}: ${suite.message}`)
for (const test of skipped) console.log(`skipped, but nothing may be: ${test.fullName} (${test.suite})`)
if (passed === 0) console.log('no test ran')
if (Number(status) !== 0 && failed === 0 && passed > 0) console.log(`the tests passed, yet a command ended with ${status}`)
console.log(`${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`)
process.exitCode = Number(status) || (failed > 0 || skipped.length > 0 || passed === 0 ? 1 : 0)
