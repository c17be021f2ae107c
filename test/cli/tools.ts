/** Projects that stand as if their tools and our packages had been installed, without a registry: links into this repository. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = fileURLToPath(new URL('../../', import.meta.url))

export function writeFiles(root: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
}

/** Our packages and command, and bundlers, each with the path of its program. */
export function linkTools(root: string, tools: Readonly<Record<string, string>>): void {
  const modules = join(root, 'node_modules')
  mkdirSync(join(modules, '.bin'), { recursive: true })
  symlinkSync(repository, join(modules, 'unplugin-in-toto'))
  symlinkSync(join(repository, 'packages/intoto'), join(modules, 'intoto'))
  for (const name of ['intoto', 'unplugin-in-toto']) symlinkSync(join(repository, 'bin/intoto.js'), join(modules, '.bin', name))
  for (const [name, program] of Object.entries(tools)) {
    symlinkSync(join(repository, 'node_modules', name), join(modules, name))
    symlinkSync(`../${name}/${program}`, join(modules, '.bin', name))
  }
}
