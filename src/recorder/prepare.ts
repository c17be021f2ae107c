/** What is done as soon as a plugin is made, before other plugins run and before any build begins. Called by every bundler's entry. */
import type { ResolvedOptions } from '../options.ts'
import { listenToReads } from './audit.ts'
import { takeKey } from './key.ts'

/** Takes the key out of the environment, and with `audit` begins to listen; nothing when the plugin is disabled. */
export function prepare({ disable, audit }: ResolvedOptions): void {
  if (disable) return
  takeKey()
  if (audit) listenToReads()
}
