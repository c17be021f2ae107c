/**
 * What plugins tell a bundler to watch. Bundlers with a core in Rust keep no list of it, but style sheets' imports, assets of url() and a
 * worker's dependencies are told in no other way: so each plugin's `this.addWatchFile` is listened to. Plugins run as before; no hook is added
 * to any module.
 */

type Handler = (this: { addWatchFile?: (path: string) => void }, ...args: unknown[]) => unknown

/** Who wants to know of a plugin's watched files; plugin objects may be shared by several builds. */
const listeners: WeakMap<object, Set<Set<string>>> = new WeakMap()

/** Contexts live for one call or for many; each is listened to once. */
const shadowed: WeakSet<object> = new WeakSet()

/** What stands for plugins that let nobody change them. */
const copies: WeakMap<object, object> = new WeakMap()

/** From now on, what these plugins want watched is added to `files`, too. A plugin that is frozen gives its place in the list to a copy that is not. */
export function listenToPlugins(plugins: object[], files: Set<string>): void {
  for (const [index, plugin] of plugins.entries()) {
    const known = listeners.get(plugin)
    listeners.set(plugin, (known ?? new Set()).add(files))
    if (known === undefined) for (const hook of hooks) listen(plugin, hook)
    const copy = copies.get(plugin)
    if (copy !== undefined) plugins[index] = copy
  }
}

/** All in which inputs are told of. A plugin is listened to in those that it has. */
const hooks = ['buildStart', 'resolveId', 'load', 'transform', 'moduleParsed', 'buildEnd'] as const

function listen(plugin: Partial<Record<(typeof hooks)[number], unknown>>, name: (typeof hooks)[number]): void {
  const hook = plugin[name] as Handler | { handler?: Handler } | undefined
  const handler = typeof hook === 'function' ? hook : hook?.handler
  if (typeof handler !== 'function') return // `false` where a condition stands before the hook
  const listening: Handler = function (...args) {
    shadow(this, plugin)
    return handler.apply(this, args)
  }
  put(plugin, name, typeof hook === 'function' ? listening : { ...hook, handler: listening })
}

function put(plugin: object, name: string, value: unknown): void {
  if (Reflect.set(plugin, name, value)) return
  const copy = copies.get(plugin) ?? Object.assign(Object.create(Object.getPrototypeOf(plugin) as object | null) as object, plugin)
  copies.set(plugin, Object.assign(copy, { [name]: value }))
}

function shadow(context: ThisParameterType<Handler>, plugin: object): void {
  const original = context.addWatchFile
  if (original === undefined || shadowed.has(context)) return
  shadowed.add(context)
  context.addWatchFile = (path) => {
    for (const files of listeners.get(plugin) ?? []) files.add(path)
    original.call(context, path)
  }
}
