/**
 * A turn of the event loop between passes over the disk, which are synchronous. Recorders take one before anything is started, signed or written:
 * a signal that came meanwhile is then heard while it can still be obeyed. Nothing else is done here.
 */

/** Two rounds: when we are called out of the loop's own look for events, the first one ends before it looks again. */
export async function turn(): Promise<void> {
  for (let round = 0; round < 2; round++) await new Promise((resolve) => setImmediate(resolve))
}
