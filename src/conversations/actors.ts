import { fromCallback, type AnyActorRef } from 'xstate'
import { endpointAtMs } from '../../machines/conversation/caller-words.ts'
import type { ConversationEvent } from '../../machines/conversation/events.ts'
import { conversationMachine, type ConversationContext } from '../../machines/conversation/machine.ts'
import type { PlayerInput } from '../../machines/instant-player.ts'
import type { ReplyLogic } from '../../machines/reply/logic.ts'
import type { Clock, PlaybackReport, PlayerCommand } from '../../machines/vocabulary.ts'
import type { Player } from '../speaking/player.ts'
import type { GuardedDetector } from '../runtime/collaborators/detector.ts'

export interface ConversationWorld {
  clock: Clock
  detector: GuardedDetector | undefined
  reply: ReplyLogic
  /** A player for the reply that is about to be spoken. */
  openPlayer(report: (event: PlaybackReport) => void): Player
  /** The caller may soon want a reply: a good moment to find out which API the backend speaks. */
  onDetecting(): void
}

/** The conversation chart with a world around it: the reply, the player, the detector, and the service's clock. */
export function provideConversation({ clock, detector, reply, openPlayer, onDetecting }: ConversationWorld) {
  const left = (untilMs: number) => Math.max(0, untilMs - clock.now())
  const voiceFor = ({ voice }: ConversationContext, ms: number) => left((voice?.startedAtMs ?? clock.now()) + ms)
  return conversationMachine.provide({
    actors: {
      reply,
      player: fromCallback<PlayerCommand, PlayerInput>(({ input, sendBack, receive }) => {
        const player = openPlayer(sendBack)
        receive((command) => {
          if (command.type === 'PLAYBACK_QUEUED') player.play(command.segment)
          else if (command.type === 'PLAYBACK_PAUSE_WANTED') player.pause()
          else player.resume()
        })
        for (const segment of input.segments) player.play(segment)
        return () => player.stop()
      }),
      detector: fromCallback<ConversationEvent, { text: string }>(({ input, sendBack }) => {
        const abort = new AbortController()
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

/** Gives an error observer to an actor, without which XState would rethrow globally. */
export function watchFailure(actor: AnyActorRef, onFailure: (error: unknown) => void): void {
  actor.subscribe({ error: onFailure })
}
