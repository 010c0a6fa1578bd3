import { fromCallback } from 'xstate'
import { endpointAtMs } from '../../machines/conversation/caller-words.ts'
import type { ConversationEvent } from '../../machines/conversation/events.ts'
import {
  conversationMachine,
  type ConversationContext,
  type DetectorInput,
} from '../../machines/conversation/machine.ts'
import type { PlayerInput } from '../../machines/instant-player.ts'
import type { ReplyLogic } from '../../machines/reply/logic.ts'
import type { Clock, PlaybackReport, PlayerCommand } from '../../machines/vocabulary.ts'
import type { Player } from '../speaking/player.ts'
import type { GuardedDetector } from '../runtime/collaborators/detector.ts'

/** What the conversation chart needs of one conversation. */
export interface Embodiment {
  /** Asked whether the caller has finished. */
  readonly detector: GuardedDetector | undefined
  /** A player for the reply that is about to be spoken. */
  openPlayer(replyId: string, report: (event: PlaybackReport) => void): Player
}

export interface World {
  clock: Clock
  reply: ReplyLogic
  /** Asked only while the conversation lives. */
  embodimentOf(conversationId: string): Embodiment
  /** The caller may soon want a reply: a good moment to detect which API the backend speaks. */
  onDetecting(): void
}

/**
 * The conversation chart with a world around it. Provided once for a service, since a provided chart weighs 94 KiB and
 * an actor of it 5: what differs from one conversation to the next, its actors look up by the id in their input.
 */
export function provideConversations({ clock, reply, embodimentOf, onDetecting }: World) {
  const left = (untilMs: number) => Math.max(0, untilMs - clock.now())
  const voiceFor = ({ voice }: ConversationContext, ms: number) => left((voice?.startedAtMs ?? clock.now()) + ms)
  return conversationMachine.provide({
    actors: {
      reply,
      player: fromCallback<PlayerCommand, PlayerInput>(({ input, sendBack, receive }) => {
        const player = embodimentOf(input.conversationId).openPlayer(input.replyId, sendBack)
        receive((command) => {
          if (command.type === 'PLAYBACK_QUEUED') player.play(command.segment)
          else if (command.type === 'PLAYBACK_PAUSE_WANTED') player.pause()
          else player.resume()
        })
        for (const segment of input.segments) player.play(segment)
        return () => player.stop()
      }),
      detector: fromCallback<ConversationEvent, DetectorInput>(({ input, sendBack }) => {
        const abort = new AbortController()
        const { detector } = embodimentOf(input.conversationId)
        void detector?.(input, abort.signal).then((endOfTurn) => {
          if (!abort.signal.aborted) sendBack({ type: 'ENDPOINT_PREDICTED', endOfTurn, atMs: clock.now() })
        })
        return () => abort.abort()
      }),
      lookout: fromCallback(() => onDetecting()),
    },
    // By the clock and not by the event that led here, whose moment is not always known.
    delays: {
      endpointing: ({ context }) => left(endpointAtMs(context.said, context.voice, context.policy)),
      minDuration: ({ context }) => voiceFor(context, context.policy.interruption.minDurationMs),
      longestHold: ({ context }) => voiceFor(context, context.policy.interruption.falseAfterMs),
    },
  })
}

/** XState's clock over ours. */
export function actorClock(clock: Clock) {
  return {
    setTimeout: (run: () => void, ms: number) => clock.schedule(run, ms),
    clearTimeout: (cancel: unknown) => {
      if (typeof cancel === 'function') cancel()
    },
  }
}
