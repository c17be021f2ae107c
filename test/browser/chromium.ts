/**
 * A real browser for a moment: serves a folder on the loopback interface, opens its page in headless Chromium, and waits for what the page sends
 * back. No network beyond this machine; the profile is thrown away.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { delimiter, extname, join, normalize } from 'node:path'
import type { AddressInfo } from 'node:net'

const names = ['chromium', 'chromium-browser', 'google-chrome']
/** What every headless browser of these tests is started with. */
export const flags: readonly string[] = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--no-proxy-server',
]
const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.json': 'application/json' }

/** Path of the browser, undefined where there is none. @throws where there has to be one */
export function findChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const found = folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path))
  if (found === undefined && process.env['CI_PEERS'] === '1') throw new Error('chromium is not installed')
  return found
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}

/**
 * Opens `index.html` of the folder and resolves with what the page posted to `/outcome/<name>`, for each name. `files` are served beside the folder.
 */
export async function openPage(
  chromium: string,
  o: { folder: string; files: Record<string, string>; outcomes: readonly string[] },
): Promise<Record<string, unknown>> {
  const profile = mkdtempSync(join(tmpdir(), 'chromium-'))
  const got: Record<string, unknown> = {}
  let settle!: (error?: Error) => void
  const done = new Promise<void>((resolve, reject) => (settle = (error) => (error ? reject(error) : resolve())))
  const take = async (name: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    got[name] = JSON.parse(await bodyOf(request))
    response.end()
    if (o.outcomes.every((expected) => Object.hasOwn(got, expected))) settle()
  }
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    if (path.startsWith('/outcome/')) {
      take(path.slice('/outcome/'.length), request, response).catch(settle)
      return
    }
    const file = join(o.folder, normalize(path === '/' ? '/index.html' : path))
    const content = o.files[path] ?? (existsSync(file) && statSync(file).isFile() ? readFileSync(file) : undefined)
    response.writeHead(content === undefined ? 404 : 200, { 'content-type': types[extname(path) || '.html'] ?? 'application/octet-stream' })
    response.end(content)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const browser = spawn(chromium, [...flags, `--user-data-dir=${profile}`, '--remote-debugging-port=0', address], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  let said = ''
  browser.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)))
  browser.on('exit', (code) => settle(new Error(`chromium ended with ${code}: ${said}`)))
  browser.on('error', (error) => settle(error))
  try {
    await done
    return got
  } finally {
    browser.removeAllListeners('exit')
    const gone = new Promise((resolve) => browser.once('exit', resolve))
    // Its helpers are in its process group.
    if (browser.pid !== undefined && browser.exitCode === null) process.kill(-browser.pid, 'SIGKILL')
    await gone
    server.closeAllConnections()
    server.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}
