/** Asks for a secret on the terminal without showing it. Loaded only when a command was told to ask. */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { misuse } from './failure.ts'

/**
 * The line that is typed, without echo.
 * @throws InTotoError E_CONFIG where no terminal is there to ask on
 */
export async function askSecret(question: string): Promise<string> {
  if (!process.stdin.isTTY) throw misuse('there is no terminal to ask for a password on', 'set INTOTO_PASSWORD or INTOTO_PASSWORD_FILE')
  process.stderr.write(question)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true })
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve)
      lines.once('SIGINT', () => {
        process.stderr.write('\n')
        process.exit(130)
      })
      lines.once('close', () => reject(misuse('no password was given', 'set INTOTO_PASSWORD or INTOTO_PASSWORD_FILE')))
    })
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}
