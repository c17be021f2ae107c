/** Asks for a secret on the terminal without showing it. Loaded only when a command was told to ask. */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { misuse } from './failure.ts'

/**
 * The lines that are typed, one for each question, without echo.
 * @throws InTotoError E_CONFIG where they end before the last answer
 */
export async function askSecrets(questions: readonly string[]): Promise<string[]> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  // Before the question: until then the terminal itself shows what is typed.
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true })
  process.stderr.write(questions[0] ?? '')
  try {
    // One reader for all of them: what was typed ahead belongs to the next question.
    return await new Promise<string[]>((resolve, reject) => {
      const answers: string[] = []
      lines.on('line', (line) => {
        if (answers.push(line) === questions.length) resolve(answers)
        else process.stderr.write(`\n${questions[answers.length]}`)
      })
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
