/** Where lines go: to the bundler's own log while it runs, to stderr when the process exits. Adapters bring one; nothing else prints. */

/** One line a call, without a mark of ours: the adapter knows whether its bundler puts a plugin's name in front. */
export interface Log {
  info(line: string): void
  warn(line: string): void
}
