import type { Clock } from '../../machines/vocabulary.ts'
import { fullCode, type Peer, type PeerHandlers } from '../web/peer.ts'
import type { Recorder } from './recorder.ts'

/** News waits this long for company: twenty messages a second at most, however much happens. */
const batchMs = 50

export interface Viewers {
  join(peer: Peer): PeerHandlers
  /** Something changed: tell it soon. */
  changed(): void
  readonly count: number
  close(): void
}

/** Those who look: each gets everything on joining, and batches from then on. */
export function createViewers(recorder: () => Recorder, clock: Clock): Viewers {
  const viewers = new Set<Peer>()
  let cancelBatch: (() => void) | undefined

  function tellBatch(): void {
    cancelBatch = undefined
    const batch = recorder().takeBatch()
    if (batch === undefined || viewers.size === 0) return
    const text = JSON.stringify(batch)
    for (const viewer of viewers) viewer.send(text)
  }

  return {
    get count() {
      return viewers.size
    },
    join(viewer) {
      // A page answers a ping by itself. What does not is no viewer, and everything is a lot to send to nobody.
      viewer.ping()
      return {
        answered() {
          if (viewers.has(viewer)) return
          if (!viewer.settle()) return viewer.dismiss(fullCode, 'too many viewers; close one first')
          // What is pending reaches the others first; the newcomer has it in its hello.
          cancelBatch?.()
          tellBatch()
          viewers.add(viewer)
          viewer.send(JSON.stringify(recorder().hello()))
        },
        // There is nothing to say.
        heard: () => viewer.cut(),
        left: () => void viewers.delete(viewer),
      }
    },
    changed() {
      cancelBatch ??= clock.schedule(tellBatch, batchMs)
    },
    close() {
      cancelBatch?.()
      viewers.clear()
    },
  }
}
