/**
 * Names of steps as parts of file names: a link lies under the name of its step. Whatever records asks here before it begins, since what was done for a
 * step without a file name is done for nothing. It touches no disk.
 */
import { utf8 } from '../encoding/bytes.ts'
import { InTotoError } from '../errors.ts'
import { printable } from './fault.ts'

/** Longest name of a file on the usual file systems, in bytes. */
const longest = 255

/**
 * Refuses the name of a step of which no file can be named.
 * @param file name of the file that is to be written, where it is not that of the link
 * @throws InTotoError E_CONFIG
 */
export function checkStepName(step: string, file: string = `${step}.12345678.link`): void {
  const shown = printable(step.length > 40 ? `${step.slice(0, 40)}…` : step)
  if (step === '' || step === '.' || step === '..' || /[/\\\0]/.test(step))
    throw refusal(`the step name "${shown}" makes no file name`, 'name the step without slashes')
  const most = longest - (utf8(file).length - utf8(step).length)
  if (utf8(step).length > most)
    throw refusal(
      `the step name "${shown}" is longer than the ${most} bytes that fit into the name of its file`,
      'give the step a shorter name',
    )
}

function refusal(message: string, fix: string): InTotoError {
  return new InTotoError({ code: 'E_CONFIG', message, fix })
}
