import { createHash } from 'node:crypto'
import { rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { recordArtifactsSync } from 'intoto/node'
import { folder, problemOf, replaceFs, runScript } from './place.ts'

const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')
const count = 300
const content = (i: number): string => (i < 3 ? '' : `content ${i}`)
const large = 101_000_000

/** One file so large that threads are called for the rest; among the rest empty files, which threads leave to their caller. */
let base: string
const expected: Record<string, { sha256: string }> = {}

beforeAll(() => {
  base = folder({ a: '' })
  truncateSync(join(base, 'a'), large)
  expected['a'] = { sha256: sha256(new Uint8Array(large)) }
  for (let i = 0; i < count; i++) {
    writeFileSync(join(base, `f${i}`), content(i))
    expected[`f${i}`] = { sha256: sha256(content(i)) }
  }
})

const sleep = (milliseconds: number): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)

/** Counts what this thread opens, and makes it slow after the large file, so that the others do nearly all. */
function countOpened(each: (count: number) => void): { opened: number } {
  const state = { opened: 0 }
  replaceFs('openSync', (real) => (...args) => {
    each(state.opened++)
    return real(...args)
  })
  return state
}

describe('recording with threads', () => {
  it('gives the digest of every file, whoever hashed it', () => {
    const state = countOpened((opened) => opened > 0 && sleep(100))
    expect(recordArtifactsSync(['.'], { base })).toEqual(expected)
    expect(state.opened, 'threads have hashed most of it').toBeLessThan(count / 2)
  })

  it('takes over the work of threads that cannot start, do nothing, or die in the middle', () => {
    const code = `import workers from 'node:worker_threads'
      import { syncBuiltinESMExports } from 'node:module'
      let started = 0
      workers.Worker = class {
        constructor() {
          started++
          if (process.argv[2] === 'fail') throw new Error('no threads')
        }
        on() {}
        unref() {}
      }
      workers.MessageChannel = class {
        port1 = {
          unref() {},
          postMessage(task) {
            if (process.argv[2] === 'die') Atomics.add(task.next, 0, 3)
          },
        }
        port2 = {}
      }
      syncBuiltinESMExports()
      console.log(JSON.stringify(n.recordArtifactsSync(['.'])))
      console.error(started)`
    for (const how of ['fail', 'sleep', 'die']) {
      const { stdout, stderr } = runScript(code, { cwd: base, args: [how] })
      expect(JSON.parse(stdout), how).toEqual(expected)
      expect(Number(stderr), 'threads are asked for').toBeGreaterThan(0)
    }
  })

  it('calls for threads before the first of a few large files', () => {
    const few = folder({ a: '', b: '', c: '' })
    for (const name of ['a', 'b', 'c']) truncateSync(join(few, name), large / 2)
    let opened = 0
    replaceFs('openSync', (real) => (...args) => {
      opened++
      sleep(1_000)
      return real(...args)
    })
    const digest = { sha256: sha256(new Uint8Array(large / 2)) }
    expect(recordArtifactsSync(['.'], { base: few })).toEqual({ a: digest, b: digest, c: digest })
    expect(opened).toBeLessThan(3)
  })

  it('gives the next recording the threads of the last one, and does not wait for them when all is done', () => {
    const code = `import workers from 'node:worker_threads'
      import { syncBuiltinESMExports } from 'node:module'
      let started = 0
      workers.Worker = class extends workers.Worker {
        constructor(...args) {
          super(...args)
          started++
        }
      }
      syncBuiltinESMExports()
      import os from 'node:os'
      const [a, b] = [n.recordArtifactsSync(['.']), n.recordArtifactsSync(['.'])]
      console.log(JSON.stringify([a, b]))
      console.error(started, os.availableParallelism() - 1)`
    const { stdout, stderr } = runScript(code, { cwd: base })
    expect(JSON.parse(stdout)).toEqual([expected, expected])
    const [started, spare] = stderr.trim().split(' ').map(Number)
    expect(started).toBe(Math.min(spare ?? 0, 3))
  })

  it('calls for threads while a tree of many files is still being walked', () => {
    const many = folder({ 'z/file': '' })
    for (let i = 0; i < 6_000; i++) writeFileSync(join(many, `f${i}`), '')
    const code = `import workers from 'node:worker_threads'
      import { syncBuiltinESMExports } from 'node:module'
      let started = 0
      workers.Worker = class {
        constructor() {
          started++
        }
        on() {}
        unref() {}
      }
      const real = fs.readdirSync
      fs.readdirSync = (path, ...more) => {
        if (String(path).endsWith('z')) throw new Error('started ' + started)
        return real(path, ...more)
      }
      syncBuiltinESMExports()
      try {
        n.recordArtifactsSync(['.'])
      } catch (error) {
        console.log(error.cause.message)
      }`
    expect(runScript(code, { cwd: many }).stdout.trim()).toBe(availableParallelism() > 1 ? 'started 1' : 'started 0')
  })

  it('fails for a file that a thread cannot read, as it fails for any other', async () => {
    writeFileSync(join(base, 'z'), 'x')
    countOpened((opened) => {
      if (opened === 1) unlinkSync(join(base, 'z'))
      if (opened > 0) sleep(100)
    })
    const problem = await problemOf(() => recordArtifactsSync(['.'], { base }), 'E_CHANGED_DURING_BUILD')
    expect(problem.message).toContain('z changed')
  })

  it('begins with the files of before while the tree is walked again, and records what is there after the command', () => {
    const many = folder()
    const names = Array.from({ length: 6_100 }, (_, i) => `f${i}`)
    for (const name of names) writeFileSync(join(many, name), name)
    const code = `import workers from 'node:worker_threads'
      import { syncBuiltinESMExports } from 'node:module'
      const [how] = process.argv.slice(2)
      let walks = 0
      const real = fs.readdirSync
      fs.readdirSync = (...all) => (walks++, real(...all))
      const seen = []
      const Channel = workers.MessageChannel
      workers.MessageChannel = class extends Channel {
        constructor() {
          super()
          const post = this.port1.postMessage.bind(this.port1)
          this.port1.postMessage = (task) => {
            if (task === undefined) return post(task)
            seen.push(walks)
            // Stuck for good, or until it was given up: then it writes what nobody may believe.
            if (how !== 'well') {
              Atomics.add(task.next, 0, 40)
              if (how === 'late') {
                const load = Atomics.load
                Atomics.load = (array, i) => {
                  const state = load(array, i)
                  if (array === task.states && state === 0) task.states[i] = 1
                  return state
                }
              }
            }
            return post(task)
          }
        }
      }
      if (how === 'stuck' || how === 'late')
        workers.Worker = class {
          on() {}
          unref() {}
        }
      syncBuiltinESMExports()
      const change = \`const fs = require('node:fs')
        fs.unlinkSync('f1')
        fs.rmSync('f2')
        fs.mkdirSync('f2')
        fs.writeFileSync('f2/inner', 'inner')
        fs.writeFileSync('f3', 'changed')
        fs.writeFileSync('g', 'new')\`
      const { link } = await n.runStep({ step: 's', command: [process.execPath, '-e', change], materials: ['.'], products: ['.'] })
      console.log(JSON.stringify([seen, link.materials, link.products]))`
    const digests = (entries: [string, string][]): object =>
      Object.fromEntries(entries.map(([name, text]) => [name, { sha256: sha256(text) }] as const))
    for (const how of ['well', 'stuck', 'late']) {
      writeFileSync(join(many, 'f1'), 'f1')
      rmSync(join(many, 'f2'), { recursive: true })
      writeFileSync(join(many, 'f2'), 'f2')
      writeFileSync(join(many, 'f3'), 'f3')
      rmSync(join(many, 'g'), { force: true })
      const { stdout, stderr } = runScript(code, { cwd: many, args: [how] })
      expect(stderr, how).toBe('')
      const [seen, materials, products] = JSON.parse(stdout) as [number[], object, object]
      const before: [string, string][] = names.map((name) => [name, name])
      expect(materials, how).toEqual(digests(before))
      const left = before.filter(([name]) => name !== 'f1' && name !== 'f2' && name !== 'f3')
      const after: [string, string][] = [...left, ['f2/inner', 'inner'], ['f3', 'changed'], ['g', 'new']]
      expect(products, how).toEqual(digests(after))
      if (availableParallelism() > 1) expect(seen[1], 'given before the second walk').toBe(seen[0])
    }
  })

  it('needs no more than 64 descriptors', () => {
    if (process.platform === 'win32') return
    const { stdout } = runScript(`console.log(JSON.stringify(n.recordArtifactsSync(['.'])))`, { cwd: base, shell: 'ulimit -n 64' })
    expect(JSON.parse(stdout)).toEqual(expected)
  })
})
