/** Builds, and again whenever a source changes: `npm run dev`. What runs from dist/ meanwhile goes on working. */
import { spawn } from 'node:child_process'
import { watch } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
let isAsked = true
let isBuilding = false

function build() {
  if (!isAsked || isBuilding) return
  isAsked = false
  isBuilding = true
  spawn('npm run build', { cwd: root, stdio: 'inherit', shell: true }).once('close', () => {
    isBuilding = false
    build()
  })
}

for (const folder of ['src', 'packages/intoto/src', 'packages/npm/src', 'packages/page/src', 'packages/cli/src']) {
  watch(`${root}/${folder}`, { recursive: true }, () => {
    isAsked = true
    // editors write a file in several strokes
    setTimeout(build, 100)
  })
}
build()
