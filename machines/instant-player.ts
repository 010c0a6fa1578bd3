import { fromCallback } from 'xstate'
import type { PlaybackReport, PlayerCommand, Segment } from './vocabulary.ts'

export interface PlayerInput {
  replyId: string
  /** The segments that are ready when speaking begins. */
  segments: Segment[]
}

/** The player of a conversation without a sink: a segment counts as heard when it is emitted. */
export const instantPlayer = fromCallback<PlayerCommand, PlayerInput>(({ input, sendBack, receive }) => {
  const report = (event: PlaybackReport) => sendBack(event)
  const play = (segment: Segment) => {
    report({ type: 'PLAYBACK_HANDED', segment })
    report({ type: 'PLAYBACK_FINISHED', index: segment.index })
  }
  receive((command) => {
    if (command.type === 'PLAYBACK_QUEUED') play(command.segment)
  })
  input.segments.forEach(play)
})
