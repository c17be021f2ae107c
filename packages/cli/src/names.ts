/** What the command line can be asked to do, by name; main.ts says what each is. Apart, so that entry.ts need not load that. */

/** Names of one word or two; those of two belong to a group. */
export const commandNames = [
  'init',
  'doctor',
  'verify',
  'explain',
  'report',
  'page',
  'show',
  'run',
  'record start',
  'record stop',
  'record source',
  'pack',
  'publish',
  'reproduce',
  'provenance',
  'evidence push',
  'evidence pull',
  'postpack',
  'layout new',
  'layout learn',
  'layout diff',
  'layout renew',
  'layout lint',
  'serve',
  'sign',
  'keygen',
  'key show',
  'key rotate',
  'match-products',
  'mock',
  'completion',
] as const

/** One of them. */
export type CommandName = (typeof commandNames)[number]
