/**
 * Which parts of the sources an input reaches, from V8's own counters. Called by the fuzzer: an input that reaches something new is worth keeping.
 * Jazzer.js does the same with libFuzzer, where its native part can be loaded.
 */
import { Session } from 'node:inspector/promises'

/** The counters. */
export interface Coverage {
  /** The parts of the sources that have run since the last look. */
  take(): Promise<Set<string>>
  close(): Promise<void>
}

/** Starts to count; only in sources whose path fits. */
export async function startCoverage(sources: RegExp): Promise<Coverage> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  return {
    take: async () => {
      const { result } = await session.post('Profiler.takePreciseCoverage')
      const ran = new Set<string>()
      for (const { url, functions } of result) {
        if (!sources.test(url)) continue
        for (const { ranges } of functions)
          for (const { startOffset, endOffset, count } of ranges) if (count > 0) ran.add(`${url} ${startOffset} ${endOffset}`)
      }
      return ran
    },
    close: async () => {
      await session.post('Profiler.stopPreciseCoverage')
      session.disconnect()
    },
  }
}
