import { Subject, Subscription } from 'rxjs'
import type { Clock, Conversation, SpeechEvent } from '../index.ts'
import { atEdge, reportMistake } from '../web/edge.ts'
import { chartsNow, stepOf } from './chart.ts'
import type { Acknowledgement, ServerMessage } from './protocol.ts'
import { createWireVoice, type WireVoice } from './wire-voice.ts'

type Watcher = (message: ServerMessage) => void

/** One conversation as seen from the wire: who watches, who is its voice, where its charts stand. */
export interface Channel {
  readonly conversation: Conversation
  /**
   * Runs now, or when what a store kept of the conversation has been read: what clients say before that waits, in their
   * order, so that a newcomer is told first how it stands.
   */
  whenReady(run: () => void): void
  /** What a newcomer is told when the conversation is ready, then everything that happens. */
  watch(watcher: Watcher): Subscription
  /** Tells what came in over the wire to all who watch, so that each shows the same conversation. */
  tell(message: ServerMessage): void
  hear(event: SpeechEvent): void
  /** Throws LlmError `config` where somebody else is the voice. */
  takeVoice(watcher: Watcher, canPause: boolean): Subscription
  acknowledge(message: Acknowledgement, watcher: Watcher): void
  /** The conversation is in memory again: those who watched its last life watch the new one. */
  reopened(): void
}

export function openChannel(
  conversation: Conversation,
  clock: Clock,
  { open, onDeserted }: { open(): void; onDeserted(): void },
): Channel {
  const { id: conversationId } = conversation
  /** All who watch, also those who wait to be told how it stands. */
  const watchers = new Set<Watcher>()
  const greeted = new Set<Watcher>()
  const ears = new Subject<SpeechEvent>()
  let voice: { voice: WireVoice; watcher: Watcher; speaking: Subscription } | null = null
  /** The life that was watched has ended. */
  let isOver = false
  let stretch = closedStretch
  let watching: Subscription | null = null
  let early: (() => void)[] | null = []

  const tell = (message: ServerMessage) => {
    for (const watcher of greeted) watcher(message)
  }

  // What happens while it is read is in what a newcomer is told, but for what could not be read.
  const troubles: ServerMessage[] = []
  const reading = conversation.events.subscribe((event) => {
    if (event.type === 'ERROR_OCCURRED' && event.code === 'store') troubles.push(event)
  })
  void conversation.ready.then(() => {
    reading.unsubscribe()
    const waiting = early ?? []
    early = null
    for (const run of waiting) run()
    for (const trouble of troubles) tell(trouble)
  })

  function listen(): Subscription {
    const subscription = conversation.listenTo(ears)
    isOver = false
    subscription.add(() => (isOver = true))
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

  function reopened(): void {
    if (!isOver) return
    isOver = false
    watching?.unsubscribe()
    watching = greeted.size === 0 ? null : listen()
    if (voice !== null) voice.speaking = conversation.speakTo(voice.voice.sink)
    void conversation.ready.then(() => {
      for (const watcher of greeted) greet(watcher)
    })
  }

  function greet(watcher: Watcher): void {
    watching ??= listen()
    greeted.add(watcher)
    watcher({
      type: 'conversation',
      conversationId,
      state: stateOf(conversation),
      history: conversation.history,
      voice: voice !== null,
      charts: chartsNow(conversation).map((step) => ({ conversationId, ...step, atMs: clock.now() })),
    })
  }

  function whenReady(run: () => void): void {
    if (early === null) run()
    else early.push(atEdge(run, reportMistake))
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
    whenReady,
    watch(watcher) {
      watchers.add(watcher)
      const left = new Subscription(() => {
        watchers.delete(watcher)
        greeted.delete(watcher)
        desertedAgain()
      })
      whenReady(() => {
        if (!left.closed) greet(watcher)
      })
      return left
    },
    hear(event) {
      tell({ ...event, conversationId, atMs: event.atMs ?? clock.now() })
      // What belongs to a stretch that a stop cut opens nothing; a voice that begins does.
      if (isOver && event.type !== 'SPEECH_STARTED' && (stretch.isOpen || !('text' in event))) return
      if (isOver) {
        open()
        reopened()
      }
      stretch = stretchAfter(stretch, event)
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
      voice = { voice: taken, watcher, speaking }
      tell({ type: 'voice', conversationId, taken: true })
      return new Subscription(() => {
        voice?.speaking.unsubscribe()
        voice = null
        taken.leave()
        tell({ type: 'voice', conversationId, taken: false })
        desertedAgain()
      })
    },
    acknowledge(message, watcher) {
      if (voice?.watcher === watcher) voice.voice.acknowledge(message)
    },
    reopened,
  }
}

/** Whether the caller is in the middle of saying something, as far as the wire knows. */
interface Stretch {
  isVoiced: boolean
  isOpen: boolean
}

const closedStretch: Stretch = { isVoiced: false, isOpen: false }

function stretchAfter({ isVoiced }: Stretch, { type }: SpeechEvent): Stretch {
  if (type === 'SPEECH_STARTED') return { isVoiced: true, isOpen: true }
  if (type === 'SPEECH_DETECTED') return { isVoiced, isOpen: isVoiced }
  return { isVoiced: isVoiced && type !== 'SPEECH_ENDED', isOpen: type !== 'SYSTEM_STOPPED' }
}

/** The top-level state. */
export function stateOf({ actor }: Conversation): string {
  const { value } = actor.getSnapshot()
  return typeof value === 'string' ? value : (Object.keys(value)[0] ?? 'idle')
}
