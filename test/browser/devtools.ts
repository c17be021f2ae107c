/**
 * A page in headless Chromium, driven through the DevTools protocol over a pipe: open, click by script, press keys, emulate, take pictures. One
 * browser for a test file; nothing but this machine is asked for anything. https://chromedevtools.github.io/devtools-protocol/
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { flags } from './chromium.ts'

type Params = Record<string, unknown>

interface Message {
  id?: number
  sessionId?: string
  method?: string
  params?: Params
  result?: Params
  error?: { message: string }
}

/** A browser that is closed by `close`. */
export class Browser {
  private readonly process: ChildProcess
  private readonly profile = mkdtempSync(join(tmpdir(), 'devtools-'))
  private readonly waiting = new Map<number, (message: Message) => void>()
  private readonly listeners = new Set<(message: Message) => void>()
  private last = 0

  constructor(chromium: string) {
    this.process = spawn(chromium, [...flags, `--user-data-dir=${this.profile}`, '--remote-debugging-pipe', 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      detached: true,
    })
    this.process.on('exit', (code) => {
      for (const answer of this.waiting.values()) answer({ error: { message: `chromium ended with ${code}` } })
      this.waiting.clear()
    })
    let rest = ''
    const stream = this.process.stdio[4] as Readable
    stream.setEncoding('utf8').on('data', (text: string) => {
      const messages = (rest + text).split('\0')
      rest = messages.pop() ?? ''
      for (const message of messages) this.take(JSON.parse(message) as Message)
    })
  }

  private take(message: Message): void {
    if (message.id === undefined) for (const listener of this.listeners) listener(message)
    else {
      this.waiting.get(message.id)?.(message)
      this.waiting.delete(message.id)
    }
  }

  /** One command of the protocol. */
  async send(method: string, params: Params = {}, sessionId?: string): Promise<Params> {
    const id = ++this.last
    const answer = new Promise<Message>((resolve) => this.waiting.set(id, resolve))
    ;(this.process.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    const { result, error } = await answer
    if (error !== undefined) throw new Error(`${method}: ${error.message}`)
    return result ?? {}
  }

  /** Hears the events of a page until the browser ends. */
  listen(sessionId: string, hear: (method: string, params: Params) => void): void {
    this.listeners.add((message) => {
      if (message.sessionId === sessionId && message.method !== undefined) hear(message.method, message.params ?? {})
    })
  }

  /** A new, empty page. */
  async page(): Promise<Page> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true })
    const page = new Page(this, String(sessionId))
    await page.start()
    return page
  }

  /** Ends the browser and removes its profile. */
  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.process.once('exit', resolve))
    // Its helpers are in its process group.
    if (this.process.pid !== undefined && this.process.exitCode === null) process.kill(-this.process.pid, 'SIGKILL')
    await gone
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** One page, with what it complained about and what it asked the network for. */
export class Page {
  /** Errors, warnings and violations of its content security policy. */
  readonly complaints: string[] = []
  /** Addresses other than its own. */
  readonly requests: string[] = []
  private readonly browser: Browser
  private readonly session: string
  private address = ''

  constructor(browser: Browser, session: string) {
    this.browser = browser
    this.session = session
  }

  /** Any command of the protocol for this page. */
  send(method: string, params: Params = {}): Promise<Params> {
    return this.browser.send(method, params, this.session)
  }

  async start(): Promise<void> {
    this.browser.listen(this.session, (method, params) => {
      if (method === 'Log.entryAdded') this.complaints.push((params['entry'] as { text: string }).text)
      if (method === 'Runtime.consoleAPICalled') this.complaints.push(`console: ${JSON.stringify(params['args'])}`)
      if (method === 'Runtime.exceptionThrown') this.complaints.push(`exception: ${JSON.stringify(params['exceptionDetails'])}`)
      if (method === 'Network.requestWillBeSent') this.asked((params['request'] as { url: string }).url)
    })
    for (const domain of ['Page', 'Runtime', 'Log', 'Network', 'DOM']) await this.send(`${domain}.enable`)
  }

  private asked(url: string): void {
    if (url !== this.address && !/^(?:data|blob):/.test(url)) this.requests.push(url)
  }

  /** Opens a file or address and waits until it is loaded. */
  async open(address: string): Promise<void> {
    this.address = address
    this.complaints.length = 0
    const loaded = new Promise<void>((resolve) => {
      this.browser.listen(this.session, (method) => {
        if (method === 'Page.loadEventFired') resolve()
      })
    })
    await this.send('Page.navigate', { url: address })
    await loaded
  }

  /** The value of an expression in the page; promises are awaited. */
  async run<T = unknown>(expression: string): Promise<T> {
    const answer = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true, userGesture: true })
    const { exceptionDetails, result } = answer as { exceptionDetails?: { exception?: { description?: string } }; result: { value: T } }
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? 'the page threw')
    return result.value
  }

  /** Width and height in CSS pixels. */
  async size(width: number, height = 900): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 })
  }

  /** The colours that the reader prefers, and whether the page is printed. */
  async media(scheme: 'light' | 'dark', media: 'screen' | 'print' = 'screen'): Promise<void> {
    await this.send('Emulation.setEmulatedMedia', { media, features: [{ name: 'prefers-color-scheme', value: scheme }] })
  }

  /** A key as a person presses it: `Tab`, `Enter`, `ArrowDown`, or one character. */
  async press(key: string, modifiers = 0): Promise<void> {
    const codes: Record<string, number> = { Tab: 9, Enter: 13, Escape: 27, Space: 32, ArrowUp: 38, ArrowDown: 40 }
    const text = key === 'Enter' ? '\r' : key === 'Space' ? ' ' : key.length === 1 ? key : undefined
    const one = {
      key: key === 'Space' ? ' ' : key,
      code: key,
      windowsVirtualKeyCode: codes[key] ?? key.toUpperCase().charCodeAt(0),
      modifiers,
    }
    await this.send('Input.dispatchKeyEvent', { ...one, type: text === undefined ? 'rawKeyDown' : 'keyDown', ...(text && { text }) })
    await this.send('Input.dispatchKeyEvent', { ...one, type: 'keyUp' })
  }

  async type(text: string): Promise<void> {
    for (const character of text) await this.press(character)
  }

  /** Files of the disk, or a folder, chosen with a file input. */
  async choose(selector: string, files: readonly string[]): Promise<void> {
    const { result } = (await this.send('Runtime.evaluate', { expression: `document.querySelector('${selector}')` })) as {
      result: { objectId: string }
    }
    await this.send('DOM.setFileInputFiles', { files, objectId: result.objectId })
  }

  /** Files and folders of the disk, dropped on an element as by hand. */
  async drop(selector: string, paths: readonly string[]): Promise<void> {
    const at = await this.run<{ x: number; y: number }>(`(() => {
      const element = document.querySelector('${selector}')
      element.scrollIntoView({ block: 'center', behavior: 'instant' })
      const { left, top } = element.getBoundingClientRect()
      return { x: left + 20, y: top + 30 }
    })()`)
    const data = { items: [], files: paths, dragOperationsMask: 1 }
    for (const type of ['dragEnter', 'dragOver', 'drop']) await this.send('Input.dispatchDragEvent', { type, ...at, data })
  }

  /** Waits until an expression in the page is true. */
  async until(expression: string): Promise<void> {
    await this.run(`new Promise((resolve, reject) => {
      const started = Date.now()
      const look = () => (${expression}) ? resolve() : Date.now() - started > 30000 ? reject(new Error('waited in vain')) : setTimeout(look, 20)
      look()
    })`)
  }

  /** The whole page as PNG. */
  async picture(): Promise<Buffer> {
    const { cssContentSize } = (await this.send('Page.getLayoutMetrics')) as { cssContentSize: { width: number; height: number } }
    const clip = { x: 0, y: 0, width: cssContentSize.width, height: Math.min(cssContentSize.height, 4000), scale: 1 }
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', clip, captureBeyondViewport: true })
    return Buffer.from(String(data), 'base64')
  }
}
