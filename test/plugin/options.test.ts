import { InTotoError } from 'intoto'
import { describe, expect, it } from 'vitest'
import { resolveOptions } from '../../src/options.ts'

describe('resolveOptions', () => {
  it('leaves nothing open', () => {
    const resolved = resolveOptions({}, {})
    expect(resolved).toMatchObject({
      step: 'build',
      required: false,
      root: 'package',
      dependencies: 'files',
      sha512: false,
      format: 'dsse',
      statement: false,
      keyidStyle: 'python',
      env: [],
      generated: [],
      stale: 'exclude',
      late: 'update',
      finish: 'exit',
      audit: false,
      tracked: false,
      strict: false,
      watch: false,
      silent: false,
      debug: false,
      disable: false,
    })
    expect(resolved.materials).toEqual({ include: [], exclude: [] })
  })

  it('takes one pattern or many', () => {
    expect(resolveOptions({ generated: 'a', materials: { include: ['b', 'c'], exclude: 'd' } }, {})).toMatchObject({
      generated: ['a'],
      materials: { include: ['b', 'c'], exclude: ['d'] },
    })
  })

  it.each([
    ['1', true],
    ['true', true],
    ['0', false],
    ['false', false],
    ['', false],
  ])('reads INTOTO_REQUIRED and INTOTO_DISABLE: %j is %j, and an option wins', (value, on) => {
    const env = { INTOTO_REQUIRED: value, INTOTO_DISABLE: value }
    expect(resolveOptions({}, env)).toMatchObject({ required: on, disable: on })
    expect(resolveOptions({ required: !on, disable: !on }, env)).toMatchObject({ required: !on, disable: !on })
  })

  it.each<[object | null, string]>([
    [{ steps: 'build' }, 'there is no option "steps"'],
    [{ step: '' }, 'option "step"'],
    [{ step: '../escape' }, 'makes no file name'],
    [{ step: '..' }, 'makes no file name'],
    [{ step: 'a\0b' }, 'makes no file name'],
    [{ step: 'x'.repeat(201) }, 'makes no file name'],
    [{ key: '' }, 'option "key"'],
    [{ key: { sign: 1 } }, 'option "key"'],
    [{ required: 'yes' }, 'option "required": expected true or false, found "yes"'],
    [{ dependencies: 'some' }, 'option "dependencies": expected files or lockfile or none, found "some"'],
    [{ format: 'jws' }, 'option "format"'],
    [{ hash: 'sha256' }, 'option "hash"'],
    [{ hash: ['md5'] }, 'option "hash": expected sha256 and sha512, found "md5"'],
    [{ env: 'A' }, 'option "env"'],
    [{ command: 'vite build' }, 'option "command"'],
    [{ materials: ['a'] }, 'option "materials"'],
    [{ materials: { include: [1] } }, 'option "materials.include"'],
    [{ products: { only: 'a' } }, 'found "only"'],
    [{ generated: [''] }, 'option "generated"'],
    [{ finish: 'never' }, 'option "finish": expected exit or build or manual'],
    [{ onError: true }, 'option "onError"'],
    [null, 'the options: expected an object, found null'],
    [['step'], 'the options: expected an object, found ["step"]'],
    [{ materials: { include: ['a', '/src/x'] } }, 'option "materials.include": "/src/x" is absolute'],
    [{ linkDir: 7 }, 'option "linkDir"'],
  ])('refuses %j', (options, message) => {
    let error: unknown
    try {
      resolveOptions(options as object, {})
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(InTotoError)
    expect((error as InTotoError).code).toBe('E_CONFIG')
    expect((error as InTotoError).message).toContain(message)
    expect((error as InTotoError).problem.fix.length).toBeGreaterThan(0)
  })
})
