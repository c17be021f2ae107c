import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { configurationFiles, usualNames, type Finder } from '../../../src/recorder/configuration.ts'

const place = realpathSync(mkdtempSync(join(tmpdir(), 'in-toto-configuration-')))
afterAll(() => rmSync(place, { recursive: true, force: true }))
mkdirSync(join(place, 'config'))
writeFileSync(join(place, 'tool.config.mjs'), `import './config/shared.mjs'`)
writeFileSync(join(place, 'tool.config.ts'), '')
writeFileSync(join(place, 'other.mjs'), `export { x } from "./config/shared.mjs"`)
writeFileSync(join(place, 'config/shared.mjs'), '')
writeFileSync(join(place, 'extending.mjs'), `export default { extends: ['./config/base.mjs', "./other.mjs"] }`)
writeFileSync(join(place, 'config/base.mjs'), `export default { extends: './extending.mjs', 'extends': "./shared.mjs" }`)

const found = (args: readonly string[], o: Partial<Finder> = {}, script = join(place, 'node_modules/.bin/tool')): string[] =>
  [...configurationFiles({ commands: ['tool'], usual: usualNames('tool'), folder: place, ...o }, ['node', script, ...args])]
    .map((path) => path.slice(place.length + 1))
    .sort()

describe('configurationFiles', () => {
  it('finds the usual file, the first in the order of the tool, with what it imports', () => {
    expect(found(['build'])).toEqual(['config/shared.mjs', 'tool.config.mjs'])
    expect(found([], { usual: usualNames('tool', ['ts', 'mjs']) })).toEqual(['tool.config.ts'])
    expect(found([], { usual: usualNames('none') })).toEqual([])
  })

  it.each([['-c', 'other.mjs'], ['-mc', 'other.mjs'], ['-c=other.mjs'], ['--config', 'other.mjs'], ['--config=other.mjs']])(
    'takes what is named: %s %s',
    (...args) => {
      expect(found(['build', ...args, '--watch'])).toEqual(['config/shared.mjs', 'other.mjs'])
    },
  )

  it('takes all of several, absolute ones too, and none that is not there', () => {
    expect(found(['-c', 'other.mjs', '-c', join(place, 'tool.config.ts')])).toEqual(['config/shared.mjs', 'other.mjs', 'tool.config.ts'])
    expect(found(['-c', 'absent.mjs'])).toEqual([])
  })

  it('takes letters behind the flag for flags, or for the file, as the tool does', () => {
    expect(found(['-cm'], { asked: true })).toEqual(['config/shared.mjs', 'tool.config.mjs'])
    expect(found(['-cother.mjs'], { asked: true })).toEqual(['config/shared.mjs', 'tool.config.mjs'])
    expect(found(['-m'], { asked: true })).toEqual([])
    expect(found(['-cother.mjs'], { joined: true })).toEqual(['config/shared.mjs', 'other.mjs'])
    expect(found(['-mc', 'other.mjs'], { joined: true })).toEqual(['config/shared.mjs', 'other.mjs'])
  })

  it('takes one of the words behind the flag, or all, as the tool does', () => {
    expect(found(['--config', 'other.mjs', 'tool.config.ts', '--merge'])).toEqual(['config/shared.mjs', 'other.mjs'])
    const several = ['config/shared.mjs', 'other.mjs', 'tool.config.ts']
    expect(found(['--config', 'other.mjs', 'tool.config.ts', '--merge', 'extending.mjs'], { joined: true })).toEqual(several)
  })

  it('follows what is extended, from beside the file and from the working folder', () => {
    expect(found(['-c', 'extending.mjs'])).toEqual(['config/base.mjs', 'config/shared.mjs', 'extending.mjs', 'other.mjs'])
  })

  it('leaves the file to the tool where the flag has none', () => {
    expect(found(['-c', '--silent'], { asked: true })).toEqual(['config/shared.mjs', 'tool.config.mjs'])
    expect(found(['--silent'], { asked: true })).toEqual([])
  })

  it('is for the command alone, under any extension of its bin', () => {
    expect(found([], {}, join(place, 'build.mjs'))).toEqual([])
    expect(found([], {}, join(place, 'node_modules/tool/bin/tool.js'))).toHaveLength(2)
    expect([...configurationFiles({ usual: usualNames('none') }, ['node'])]).toEqual([])
  })
})
