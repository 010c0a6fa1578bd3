import type { InspectionEvent } from 'xstate'
import type { Clock } from '../../machines/vocabulary.ts'
import { inspectionClock } from './inspection-clock.ts'
import { servePage } from './page-server.ts'
import { createRecorder, recorderLimits, type RecorderLimits } from './recorder.ts'
import type { Sanitize } from './to-shown.ts'
import { createViewers } from './viewers.ts'

export interface InspectorOptions {
  /** Default 0: any free port. */
  port?: number
  /** 127.0.0.1 (default), ::1 or localhost: nothing leaves the machine. */
  host?: '127.0.0.1' | '::1' | 'localhost' | (string & {})
  /** What may be shown of events and contexts. Default: everything but secrets. `withoutWords` hides what was said. */
  sanitize?: Sanitize
  /** What is kept for those who join late. */
  limits?: Partial<RecorderLimits>
  clock?: Clock
}

export interface Inspector {
  /** Where the page is. */
  readonly url: string
  readonly port: number
  /** Give this to `createLlmService({ inspect })`, to several if you like, or to XState's `createActor`. */
  readonly inspect: (event: InspectionEvent) => void
  /** Closes the page. `inspect` may still be called; nothing comes of it. */
  close(): Promise<void>
}

/**
 * A local page that shows every actor alive: the tree, the chart of the chosen one with its active states lit, and
 * all events. Works offline; whoever opens it late sees everything that is kept.
 *
 *     const inspector = await startInspector()
 *     const service = createLlmService({ inspect: inspector.inspect })
 *     console.log(inspector.url)
 *
 * Rejects with LlmError `config` where the port is taken or the host is not this machine.
 */
export async function startInspector({
  port = 0,
  host = '127.0.0.1',
  sanitize,
  limits = {},
  clock = inspectionClock,
}: InspectorOptions = {}): Promise<Inspector> {
  const viewers = createViewers(() => recorder, clock)
  const recorder = createRecorder({
    clock,
    sanitize,
    limits: { ...recorderLimits, ...limits },
    isWatched: () => viewers.count > 0,
    changed: viewers.changed,
  })
  const server = await servePage({ host, port, clock, join: viewers.join })
  let isClosed = false
  return {
    url: server.url,
    port: server.port,
    inspect(event) {
      if (!isClosed) recorder.record(event)
    },
    close() {
      isClosed = true
      viewers.close()
      return server.close()
    },
  }
}
