/**
 * The lockfiles that clients wrote, for every test that reads them. In the files `{registry}` stands for the registry's address, so that no lockfile of
 * this repository names a host.
 */
import { readFileSync } from 'node:fs'

/** The text of a fixture as its client wrote it. */
export function lockfileText(path: string): string {
  return readFileSync(new URL(`fixtures/lockfile/${path}`, import.meta.url), 'utf8').replaceAll('{registry}', 'https://registry.example')
}
