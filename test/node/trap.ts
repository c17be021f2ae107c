/** A repository whose configuration names a program wherever git takes one, for the tests that none of them is run. */
import { spawnSync } from 'node:child_process'
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const hooks = ['post-index-change', 'reference-transaction', 'post-checkout', 'pre-auto-gc', 'fsmonitor-watchman']

function git(at: string, args: readonly string[], input?: string): string {
  const settings = ['-c', 'user.name=A', '-c', 'user.email=a@b.example', '-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null']
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' }
  const { status, stdout, stderr } = spawnSync('git', [...settings, ...args], { cwd: at, encoding: 'utf8', env, input: input ?? '' })
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}

/** Programs that a repository has had run so far. */
export interface Traps {
  /** A program of this name, as a command line. */
  readonly program: (name: string) => string
  readonly ran: () => string
}

/** Programs that write their names into a file when they run. `outside` is a folder that git does not look at. */
export function trapsIn(outside: string): Traps {
  const log = join(outside, 'ran')
  const program = (name: string): string => {
    const path = join(outside, name)
    writeFileSync(path, `#!/bin/sh\necho '${name}' >> '${log}'\n[ '${name}' = clean ] && exec cat\nexit 1\n`)
    chmodSync(path, 0o755)
    return path
  }
  return { program, ran: () => (existsSync(log) ? readFileSync(log, 'utf8') : '') }
}

/**
 * Commits what is there under a signature and names programs for everything. Times of tracked files change without their bytes, so that whoever asks whether
 * they differ has to read them, through a filter if there is one.
 */
export function setTraps(at: string, { program }: Traps): void {
  if (!existsSync(join(at, '.git'))) git(at, ['init', '-q'])
  appendFileSync(join(at, '.gitattributes'), '* filter=trap diff=trap merge=trap\n')
  git(at, ['add', '-A'])
  git(at, ['commit', '-q', '--allow-empty', '-m', 'trap'])
  const commit = git(at, ['cat-file', 'commit', 'HEAD'])
  const signature = 'gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----'
  const signed = commit.replace(/^committer .*$/m, (line) => `${line}\n${signature}`)
  git(at, ['update-ref', 'HEAD', git(at, ['hash-object', '-t', 'commit', '-w', '--stdin'], `${signed}\n`)])
  for (const name of git(at, ['ls-files', '-z']).split('\0'))
    if (name !== '' && existsSync(join(at, name))) utimesSync(join(at, name), new Date(1_700_000_000_000), new Date(1_700_000_000_000))
  const folder = join(at, '.git/trapped')
  mkdirSync(folder)
  for (const hook of hooks) writeFileSync(join(folder, hook), `#!/bin/sh\nexec '${program(hook)}'\n`, { mode: 0o755 })
  const settings: Record<string, string> = {
    'core.fsmonitor': program('monitor'),
    'core.hooksPath': folder,
    'core.pager': program('pager'),
    'pager.status': program('pager'),
    'core.editor': program('editor'),
    'core.askPass': program('askpass'),
    'core.sshCommand': program('ssh'),
    'core.alternateRefsCommand': program('refs'),
    'credential.helper': program('credential'),
    'log.showSignature': 'true',
    'gpg.program': program('gpg'),
    'gpg.openpgp.program': program('gpg'),
    'diff.external': program('external'),
    'diff.trap.command': program('command'),
    'diff.trap.textconv': program('textconv'),
    'filter.trap.clean': program('clean'),
    'filter.trap.smudge': program('smudge'),
    'filter.trap.process': program('process'),
    'filter.trap.required': 'true',
    'merge.trap.driver': program('merge'),
    'alias.ls-files': `!${program('alias')}`,
    'alias.status': `!${program('alias')}`,
    'status.submoduleSummary': 'true',
    'core.repositoryFormatVersion': '1',
    'extensions.partialClone': 'origin',
    'remote.origin.url': `ext::${program('protocol')}`,
    'remote.origin.uploadpack': program('uploadpack'),
    'remote.origin.promisor': 'true',
    'remote.origin.partialCloneFilter': 'blob:none',
    'protocol.ext.allow': 'always',
    'protocol.allow': 'always',
  }
  for (const [name, value] of Object.entries(settings)) git(at, ['config', name, value])
}

/** Takes an object away, which a partial clone would fetch when it is asked for: `HEAD`, `HEAD:`, `HEAD:FILE`. */
export function loseObject(at: string, name: string): void {
  const id = git(at, ['rev-parse', name])
  rmSync(join(at, '.git/objects', id.slice(0, 2), id.slice(2)))
}
