/** The command line of this project as an adapter: `node ours.mjs FOLDER`. The protocol is in ../README.md. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { argv, chdir } from 'node:process'

const folder = argv[2]
const keys = readdirSync(`${folder}/keys`).map((name) => `../keys/${name}`)
const parameters = existsSync(`${folder}/parameters`) ? readFileSync(`${folder}/parameters`, 'utf8').trim().split('\n') : []
chdir(`${folder}/work`)
const more = parameters.length > 0 ? ['--substitution-parameters', ...parameters] : []
argv.splice(2, 1, 'verify', '-l', '../root.layout', '-k', ...keys, '-d', '../links', '--command-mismatch', 'warn', ...more)
await import('../../../bin/intoto.js')
