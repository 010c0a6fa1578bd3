/** Parts of the conversation chart that stand in more than one of its states. */
import { conversation } from './setup.ts'

/** Actions and guards get what the event brings. */
export const told = <Event>({ event }: { event: Event }): Event => event

const reasonGiven = ({ event }: { event: { reason?: string } }) => ({ reason: event.reason ?? 'requested' })

/**
 * What the caller and the program may do to a reply, whether it is being made or spoken. A sign of listening lets it go
 * on: `goOn` is the state in which it does.
 */
export function overReply(goOn: '.flowing' | '.streaming') {
  const { on } = conversation.createStateConfig({
    on: {
      SPEECH_STARTED: { actions: { type: 'noteVoiceStarted', params: told } },
      SPEECH_PARTIAL: [
        { guard: { type: 'isEchoOfPartial', params: told } },
        {
          guard: { type: 'isBackchannel', params: told },
          target: goOn,
          actions: ['noteBackchannel', 'tellBackchannel'],
        },
        {
          guard: { type: 'stops', params: told },
          target: 'detecting',
          actions: [
            { type: 'tellInterrupted', params: { reason: 'stop-word' } },
            { type: 'notePartial', params: told },
          ],
        },
        {
          guard: { type: 'interrupts', params: told },
          target: 'detecting',
          actions: [
            { type: 'tellInterrupted', params: { reason: 'barge-in' } },
            { type: 'notePartial', params: told },
          ],
        },
        { actions: { type: 'notePartial', params: told } },
      ],
      SPEECH_DETECTED: [
        { guard: { type: 'isEchoOfFinal', params: told } },
        {
          guard: { type: 'isBackchannel', params: told },
          target: goOn,
          actions: ['noteBackchannel', 'tellBackchannel'],
        },
        {
          guard: { type: 'stops', params: told },
          target: 'detecting',
          actions: [
            { type: 'tellInterrupted', params: { reason: 'stop-word' } },
            { type: 'noteFinal', params: told },
          ],
        },
        {
          guard: { type: 'interrupts', params: told },
          target: 'detecting',
          actions: [
            { type: 'tellInterrupted', params: { reason: 'barge-in' } },
            { type: 'noteFinal', params: told },
          ],
        },
        { actions: { type: 'noteFinal', params: told } },
      ],
      CALLER_TYPED: [
        {
          guard: 'mayInterrupt',
          target: 'detecting',
          actions: [
            { type: 'tellInterrupted', params: { reason: 'barge-in' } },
            { type: 'noteTyped', params: told },
          ],
        },
        { actions: { type: 'noteTyped', params: told } },
      ],
      // Ends the reply and nothing else: what the caller says or has said meanwhile is a turn of its own.
      REPLY_UNWANTED: [
        {
          guard: 'isTurnOpen',
          target: 'detecting',
          actions: { type: 'tellInterrupted', params: reasonGiven },
        },
        {
          target: 'idle',
          actions: { type: 'tellInterrupted', params: reasonGiven },
        },
      ],
      REPLY_DELAYED: {
        guard: { type: 'isFromReply', params: told },
        actions: { type: 'tellDelayed', params: told },
      },
      REPLY_CALLING: {
        guard: { type: 'isFromReply', params: told },
        actions: { type: 'noteCalls', params: told },
      },
      REPLY_CALLED: {
        guard: { type: 'isFromReply', params: told },
        actions: [
          { type: 'noteCalled', params: told },
          { type: 'tellCalled', params: told },
        ],
      },
      REPLY_ENDED: {
        guard: { type: 'isFromReply', params: told },
        actions: [{ type: 'noteTextOver', params: told }, 'tellGenerated'],
      },
    },
  })
  return on
}
