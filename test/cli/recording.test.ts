/**
 * Recording by the command itself on a machine that is against it: disks that are full or may not be written, few descriptors, odd things among the files,
 * configuration that nobody named. Exit code 0 means that a whole link lies there; everything else leaves what was there before.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { createLink, decodeMetadata, linkFileName, sign, type Link } from 'intoto'
import { linkDirectory, loadKey, loadSigner, recordArtifacts } from 'intoto/node'
import { beforeAll, describe, expect, test, type TestContext } from 'vitest'
import { bareEnvironment, bin, intoto, mustRun, temporaryFolder, type Ended } from './command.ts'

const folder = realpathSync(temporaryFolder())
const at = (...names: string[]): string => join(folder, ...names)
const key = ['--signing-key', at('alice')]
let linkName: string

beforeAll(async () => {
  mustRun(['keygen', '-o', at('alice')])
  linkName = linkFileName('build', (await loadKey(at('alice.pub'))).keyid)
})

/** A fresh folder with these files. */
function tree(name: string, files: Record<string, string>): string {
  for (const [file, content] of Object.entries({ '.keep': '', ...files })) {
    mkdirSync(dirname(at(name, file)), { recursive: true })
    writeFileSync(at(name, file), content)
  }
  return at(name)
}

function linkIn(path: string): Link {
  return decodeMetadata(readFileSync(join(path, linkName))).payload as Link
}

/** Mounts a file system of 64 KiB for one test; skips the test, aloud, where that is not allowed. */
function withDisk(name: string, context: TestContext, use: (disk: string) => void): void {
  const disk = tree(name, {})
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]).status !== 0)
    return context.skip('a tmpfs cannot be mounted here')
  try {
    use(disk)
  } finally {
    spawnSync('umount', [disk])
  }
}

describe.skipIf(process.platform !== 'linux')('a disk', () => {
  const many = (): string[] => {
    const files = Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`${i}`.padStart(80, 'x'), '']))
    return ['run', '-n', 'build', ...key, '--base-path', tree('many', files), '-m', '.', '-x']
  }

  test('that is full: exit code 2 and why, the earlier link as it was, nothing else', (context) => {
    withDisk('full', context, (disk) => {
      const large = [...many(), '-d', disk]
      for (const earlier of [undefined, 'earlier']) {
        if (earlier !== undefined) mustRun(['run', '-n', 'build', ...key, '-x', '-d', disk])
        const before = earlier === undefined ? undefined : readFileSync(join(disk, linkName))
        const ended = intoto(large)
        expect([ended.code, ended.err]).toEqual([2, expect.stringMatching(/^E_IO .*no space is left on the device\n {2}try /)])
        expect(readdirSync(disk)).toEqual(before === undefined ? [] : [linkName])
        if (before !== undefined) expect(readFileSync(join(disk, linkName))).toEqual(before)
      }
    })
  })

  test('that may not be written: exit code 2 and why, the earlier link as it was', (context) => {
    withDisk('sealed', context, (disk) => {
      mustRun(['run', '-n', 'build', ...key, '-x', '-d', disk])
      const before = readFileSync(join(disk, linkName))
      execFileSync('mount', ['-o', 'remount,ro', disk])
      const ended = intoto(['run', '-n', 'build', ...key, '-m', at('alice.pub'), '-x', '-d', disk])
      expect([ended.code, ended.err]).toEqual([2, expect.stringMatching(/^E_IO .*the file system is read-only\n {2}try /)])
      expect(readdirSync(disk)).toEqual([linkName])
      expect(readFileSync(join(disk, linkName))).toEqual(before)
    })
  })
})

describe.skipIf(process.platform === 'win32')('among the files', () => {
  let number = 0
  const record = (make: (path: string) => void): { ended: Ended; path: string } => {
    const path = tree(`odd-${number++}`, { a: 'a', 'b/c': 'c' })
    make(path)
    return { path, ended: intoto(['run', '-n', 'build', ...key, '-m', '.', '-x'], { cwd: path }) }
  }
  const notUtf8: [string, RegExp, (path: string) => void] = [
    'two names that are not UTF-8',
    /^E_IO .*the name a\\xf[ef] in \. is not UTF-8/,
    (path) => {
      for (const last of [0xfe, 0xff]) writeFileSync(Buffer.concat([Buffer.from(`${path}/a`), Buffer.from([last])]), '')
    },
  ]
  const deep = 'name=$(printf "%0200d" 0); for i in $(seq 22); do mkdir $name && cd -P $name || exit; done'

  test.each<[string, RegExp, (path: string) => void]>([
    ['a FIFO', /thing is a FIFO/, (path) => execFileSync('mkfifo', [join(path, 'thing')])],
    ['a link to a device', /thing .*a device/, (path) => symlinkSync('/dev/zero', join(path, 'thing'))],
    ['a link to itself', /thing is a link to nothing/, (path) => symlinkSync('thing', join(path, 'thing'))],
    ['a link to nothing', /thing .*nothing/, (path) => symlinkSync('absent', join(path, 'thing'))],
    ['a link to the folder above', /thing .*leads back/, (path) => symlinkSync('..', join(path, 'b/thing'))],
  ])('%s is left out, with a word', (_, said, make) => {
    const { ended, path } = record(make)
    expect(ended.code, ended.err).toBe(0)
    expect(ended.err).toMatch(said)
    expect(Object.keys(linkIn(path).materials)).toEqual(['.keep', 'a', 'b/c'])
  })

  test.each<[string, RegExp, (path: string) => void]>([
    ...(process.platform === 'linux' ? [notUtf8] : []),
    ['a path that is too long', /^E_IO .*the path is too long/, (path) => execFileSync('sh', ['-c', deep], { cwd: path })],
  ])('%s: no link, and which it is', (_, said, make) => {
    const { ended, path } = record(make)
    try {
      expect([ended.code, ended.err]).toEqual([2, expect.stringMatching(said)])
      expect(ended.err).toMatch(/^ {2}try /m)
      expect(readdirSync(path).filter((name) => name.endsWith('.link'))).toEqual([])
    } finally {
      execFileSync('rm', ['-rf', path]) // Node cannot remove so long a path either
    }
  })
})

test.skipIf(process.platform === 'win32')('32 descriptors are enough to verify', async () => {
  const files = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`dist/${i}`, `${i}`]))
  const cwd = tree('descriptors', files)
  const steps = Array.from({ length: 20 }, (_, i) => `s${i}`)
  const signer = await loadSigner(at('alice'))
  const products = await recordArtifacts(['dist'], { base: cwd })
  for (const name of steps) linkDirectory(cwd).put(await sign(createLink({ name, materials: products, products }), [signer]))
  const words = ['layout', 'new', '--step', ...steps, '--functionary', at('alice.pub'), '--sign-with', at('alice'), '-o', 'root.layout']
  mustRun(words, { cwd })
  const verify = [process.execPath, bin, 'verify', 'dist', '-l', 'root.layout', '-k', at('alice.pub')]
  const options = { cwd, env: bareEnvironment(), encoding: 'utf8' } as const
  const { status, stdout, stderr } = spawnSync('sh', ['-c', 'ulimit -n 32 && exec "$@"', 'sh', ...verify], options)
  expect(status, stdout + stderr).toBe(0)
})

test('no file is configuration that was not named', () => {
  const planted = {
    '.in_totorc': '[in-toto:settings]\nARTIFACT_EXCLUDE_PATTERNS=*\nARTIFACT_BASE_PATH=/\n',
    '.intotorc': '{ "exclude": ["*"], "materials": [] }',
    '.intotorc.json': '{ "exclude": ["*"] }',
    'intoto.config.js': `require('fs').writeFileSync('ran', '')`,
    'in-toto.config.mjs': `import fs from 'node:fs'\nfs.writeFileSync('ran', '')`,
    '.config/intoto.json': '{ "exclude": ["*"] }',
    '.in_toto/config': '[settings]\nARTIFACT_EXCLUDE_PATTERNS=*\n',
    '.env': `INTOTO_KEY_FILE=${at('absent')}\nINTOTO_LOG_LEVEL=quiet\n`,
    'package.json': '{ "intoto": { "exclude": ["*"] }, "in-toto": { "exclude": ["*"] } }',
    '.npmrc': 'ignore-scripts=true\n',
  }
  const words = ['run', '-n', 'build', ...key, '-m', 'a', '-p', 'a', '--', process.execPath, '-e', '0']
  const bare = tree('bare', { a: 'a' })
  const full = tree('planted', { a: 'a', ...planted })
  const env = { IN_TOTO_ARTIFACT_EXCLUDE_PATTERNS: '*', IN_TOTO_ARTIFACT_BASE_PATH: '/' }
  const [without, within] = [
    mustRun(words, { cwd: bare }),
    mustRun(words, { cwd: full, env: { ...env, HOME: full, XDG_CONFIG_HOME: join(full, '.config') } }),
  ]
  expect(within).toEqual(without)
  expect(linkIn(full)).toEqual(linkIn(bare))
  expect(readdirSync(full)).not.toContain('ran')
  expect(Object.keys(linkIn(full).materials)).toEqual(['a'])
})

test('a link and what is said of it name no user, host, folder or variable', () => {
  const cwd = tree('canary-home/project', { a: 'a' })
  const env = { HOME: at('canary-home'), USER: 'canary-user', LOGNAME: 'canary-user', TOKEN: 'canary-variable' }
  const words = ['run', '-n', 'build', ...key, '-m', '.', '-p', '.', '-s', '-v', '--', process.execPath, '-e', 'console.log(1)']
  const { out, err } = mustRun(words, { cwd, env })
  const link = linkIn(cwd)
  const command = link.command.slice(1) // the program was given by its path, and is recorded as it was given
  const told = JSON.stringify({ ...link, command }) + out + err
  expect(told).not.toMatch(/canary/)
  expect(told).not.toContain(folder)
  expect(told).not.toContain(hostname())
  rmSync(cwd, { recursive: true })
})
