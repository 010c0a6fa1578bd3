import { Subject, Subscription } from 'rxjs'
import type { Clock, Conversation, SpeechEvent } from '../index.ts'
import { chartsNow, stepOf } from './chart.ts'
import type { Acknowledgement, ServerMessage } from './protocol.ts'
import { createWireVoice, type WireVoice } from './wire-voice.ts'

type Watcher = (message: ServerMessage) => void

/** One conversation as seen from the wire: who watches, who is its voice, where its charts stand. */
export interface Channel {
  readonly conversation: Conversation
  /** What a newcomer is told, then everything that happens. */
  watch(watcher: Watcher): Subscription
  /** Tells what came in over the wire to all who watch, so that each shows the same conversation. */
  tell(message: ServerMessage): void
  hear(event: SpeechEvent): void
  /** Throws LlmError `config` where somebody else is the voice. */
  takeVoice(watcher: Watcher, canPause: boolean): Subscription
  acknowledge(message: Acknowledgement, watcher: Watcher): void
}

export function openChannel(conversation: Conversation, clock: Clock, onDeserted: () => void): Channel {
  const { id: conversationId } = conversation
  const watchers = new Set<Watcher>()
  const ears = new Subject<SpeechEvent>()
  let voice: { voice: WireVoice; watcher: Watcher } | null = null
  let watching: Subscription | null = null

  const tell = (message: ServerMessage) => {
    for (const watcher of watchers) watcher(message)
  }

  function listen(): Subscription {
    const subscription = conversation.listenTo(ears)
    subscription.add(conversation.events.subscribe(tell))
    subscription.add(
      conversation.deltas.subscribe((delta) => tell({ type: 'delta', conversationId, atMs: clock.now(), ...delta })),
    )
    const inspection = conversation.actor.system.inspect((event) => {
      const step = stepOf(event)
      if (step !== undefined) tell({ type: 'chart', conversationId, ...step, atMs: clock.now() })
    })
    subscription.add(() => inspection.unsubscribe())
    return subscription
  }

  function desertedAgain(): void {
    if (watchers.size > 0 || voice !== null) return
    watching?.unsubscribe()
    watching = null
    onDeserted()
  }

  return {
    conversation,
    tell,
    watch(watcher) {
      watching ??= listen()
      watchers.add(watcher)
      watcher({
        type: 'conversation',
        conversationId,
        state: stateOf(conversation),
        history: conversation.history,
        voice: voice !== null,
        charts: chartsNow(conversation).map((step) => ({ conversationId, ...step, atMs: clock.now() })),
      })
      return new Subscription(() => {
        watchers.delete(watcher)
        desertedAgain()
      })
    },
    hear(event) {
      tell({ ...event, conversationId, atMs: event.atMs ?? clock.now() })
      ears.next(event)
    },
    takeVoice(watcher, canPause) {
      const taken = createWireVoice({
        conversationId,
        canPause,
        send: watcher,
        onPlayed: ({ replyId, index }, chars) =>
          tell({ type: 'played', conversationId, replyId, index, chars, atMs: clock.now() }),
      })
      const speaking = conversation.speakTo(taken.sink)
      voice = { voice: taken, watcher }
      tell({ type: 'voice', conversationId, taken: true })
      return new Subscription(() => {
        speaking.unsubscribe()
        voice = null
        taken.leave()
        tell({ type: 'voice', conversationId, taken: false })
        desertedAgain()
      })
    },
    acknowledge(message, watcher) {
      if (voice?.watcher === watcher) voice.voice.acknowledge(message)
    },
  }
}

/** The top-level state. */
export function stateOf({ actor }: Conversation): string {
  const { value } = actor.getSnapshot()
  return typeof value === 'string' ? value : (Object.keys(value)[0] ?? 'idle')
}
