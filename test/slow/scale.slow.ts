/**
 * What is large or many is recorded in little memory and with few descriptors, by the command itself: an input of 2.2 GB, 50,000 files under `ulimit -n 64`,
 * 300 MB of output, and eight runs at once. CI's share is smaller and looks at ten times the promise. Prints the figures.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decodeMetadata, generateKeyPair, importKey, isLink, linkFileName, type Link } from 'intoto'
import { bareEnvironment, bin } from '../cli/command.ts'

const share = process.env['CI_SHARE'] !== undefined
/** MiB: for one large file, for the names and digests of 100,000 artifacts, for both ends of a flood. Node alone takes forty. */
const promised = { file: 200, files: 400, flood: 200 }
const margin = share ? 10 : 1
const top = mkdtempSync(join(realpathSync(tmpdir()), 'intoto-scale-'))
afterAll(() => rmSync(top, { recursive: true, force: true, maxRetries: 5 }))
const at = (name: string): string => join(top, name)
let linkName: string

beforeAll(async () => {
  const { privatePem, publicPem } = await generateKeyPair()
  writeFileSync(at('key'), privatePem, { mode: 0o600 })
  linkName = linkFileName('build', (await importKey(publicPem)).keyid)
  writeFileSync(
    at('meter.cjs'),
    `process.on('exit', () => {
  const fs = require('node:fs')
  const status = fs.existsSync('/proc/self/status') ? fs.readFileSync('/proc/self/status', 'utf8') : ''
  fs.writeFileSync(process.env.METER, /VmHWM:\\s*(\\d+)/.exec(status)?.[1] ?? String(process.resourceUsage().maxRSS))
})`,
  )
})

/** Runs the command in a folder; gives back its link, and prints and checks what memory it took. */
function record(name: string, words: readonly string[], o: { most: number; shell?: string }): Link {
  rmSync(at('figures'), { force: true })
  const command = [
    process.execPath,
    '-r',
    at('meter.cjs'),
    bin,
    'run',
    '-n',
    'build',
    '--signing-key',
    at('key'),
    '-d',
    at('links'),
    ...words,
  ]
  const began = Date.now()
  const { status, stderr } = spawnSync('sh', ['-c', `${o.shell ?? 'true'}; exec "$@" > /dev/null`, 'sh', ...command], {
    cwd: at('tree'),
    env: bareEnvironment({ METER: at('figures') }),
    encoding: 'utf8',
  })
  expect(status, stderr).toBe(0)
  const mebibytes = Number(readFileSync(at('figures'), 'utf8')) / 1024
  console.log(`${name}: ${Math.round(mebibytes)} MiB, ${((Date.now() - began) / 1000).toFixed(1)} s`)
  expect(mebibytes).toBeLessThan(o.most * margin)
  return decodeMetadata(readFileSync(at(`links/${linkName}`))).payload as Link
}

function clear(): void {
  rmSync(at('tree'), { recursive: true, force: true })
  mkdirSync(at('tree'))
}

test('one input of 2.2 GB', () => {
  clear()
  const size = share ? 220_000_000 : 2_200_000_000
  writeFileSync(at('tree/giant'), '')
  truncateSync(at('tree/giant'), size)
  const { materials } = record(`${size} bytes`, ['-m', 'giant', '-x'], { most: promised.file })
  const whole = spawnSync('sha256sum', [at('tree/giant')], { encoding: 'utf8' })
  if (whole.status === 0) expect(materials['giant']).toEqual({ sha256: whole.stdout.slice(0, 64) })
})

test.skipIf(process.platform === 'win32')('50,000 files with 64 descriptors', () => {
  clear()
  const count = share ? 5_000 : 50_000
  for (let i = 0; i < count; i++) {
    const folder = at(`tree/${i % 100}`)
    if (i < 100) mkdirSync(folder)
    writeFileSync(join(folder, `${i}`), `${i}`)
  }
  const { materials, products } = record(`${count} files`, ['-m', '.', '-p', '.', '-x'], { most: promised.files, shell: 'ulimit -n 64' })
  expect(Object.keys(materials)).toHaveLength(count)
  expect(products).toEqual(materials)
})

test('eight runs at once in one folder, half of them of one step', async () => {
  clear()
  writeFileSync(at('tree/input'), 'input')
  mkdirSync(at('started'))
  const steps = ['build', 'a', 'build', 'b', 'build', 'c', 'build', 'd']
  // Each command waits for all others, so that the links are written in one moment.
  const wait = `const { readdirSync, writeFileSync } = require('fs')
writeFileSync('../started/' + process.pid, '')
setInterval(() => { if (readdirSync('../started').length === ${steps.length}) process.exit() }, 1)`
  const ends = steps.map((step) => {
    const args = [bin, 'run', '-n', step, '--signing-key', at('key'), '-m', '.', '-p', '.', '--', process.execPath, '-e', wait]
    const child = spawn(process.execPath, args, { cwd: at('tree'), env: bareEnvironment(), stdio: 'ignore' })
    return new Promise<number | null>((resolve) => child.once('close', resolve))
  })
  expect(await Promise.all(ends)).toEqual(steps.map(() => 0))
  const names = [...new Set(steps)].map((step) => linkName.replace('build', step))
  expect(readdirSync(at('tree')).sort()).toEqual([...names, 'input'].sort())
  for (const name of names) {
    const { payload } = decodeMetadata(readFileSync(at(`tree/${name}`)))
    expect(isLink(payload) && Object.keys(payload.materials)).toContain('input')
  }
})

test.skipIf(process.platform === 'win32')('300 MB of output', () => {
  clear()
  const total = share ? 30_000_000 : 300_000_000
  const flood = `head -c ${total} /dev/zero | tr '\\0' x`
  const { byproducts } = record(`${total} bytes of output`, ['-s', '--', 'sh', '-c', flood], { most: promised.flood })
  expect(byproducts).toMatchObject({ 'return-value': 0, 'stdout-bytes': total })
  expect(JSON.stringify(byproducts).length).toBeLessThan(2.2 * 2 ** 20)
})
