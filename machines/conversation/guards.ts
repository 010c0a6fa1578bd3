/** What the conversation chart may ask, and how long it waits. Claims and delays alone: nothing changes here. */
import {
  endpointAtMs,
  hasWords,
  isComplete,
  isEchoedFinal,
  isEchoedPartial,
  isStalePartial,
  turnText,
} from './caller-words.ts'
import { isVoiceOpen, momentIn, voiceOf, type ConversationContext, type Transcript } from './context.ts'
import type { ConversationEvent } from './events.ts'
import { isPlayedOut } from './exchange.ts'
import { countWords, foldWords, namesOneOf, saysOnly } from '../words.ts'

type Situation = { context: ConversationContext; event: ConversationEvent }

export const guards = {
  isBlank: (_: unknown, { text }: Transcript) => foldWords(text) === '',
  isEchoOfPartial: ({ context }: Situation, { text, atMs = 0 }: Transcript) =>
    foldWords(text) === '' ||
    isStalePartial(text, context.said, voiceOf(context, atMs)) ||
    isEchoedPartial(text, atMs, context.committed, context.policy.endpointing.maxDelayMs),
  isEchoOfFinal: ({ context }: Situation, { text, atMs = 0 }: Transcript) =>
    foldWords(text) === '' ||
    isEchoedFinal(text, atMs, context.committed, voiceOf(context, atMs), context.policy.endpointing.maxDelayMs),
  isAddressed: ({ context }: Situation, event: { text: string; verdict?: 'answer' | 'ignore' | 'context' }) =>
    (event.verdict ?? (namesOneOf(event.text, context.policy.assistantNames) ? 'answer' : 'ignore')) === 'answer',

  mayInterrupt: ({ context }: Situation) => mayInterrupt(context),
  isBackchannel: ({ context }: Situation, { text }: Transcript) =>
    mayInterrupt(context) && saysOnly(text, context.policy.interruption.backchannels),
  interrupts: ({ context }: Situation, { text }: Transcript) =>
    mayInterrupt(context) && countWords(text) >= context.policy.interruption.minWords,
  stops: ({ context }: Situation, { text }: Transcript) =>
    mayInterrupt(context) && saysOnly(text, context.policy.interruption.stopWords),

  isVoiceOpen: ({ context }: Situation) => isVoiceOpen(context),
  isVoiceOver: ({ context }: Situation) => !isVoiceOpen(context),
  isVoiceToBeJudged: ({ context }: Situation) =>
    isVoiceOpen(context) && mayInterrupt(context) && context.voice?.serial !== context.reply?.toleratedVoice,
  isTurnOpen: ({ context }: Situation) => hasWords(context.said) || context.voice !== null,
  hasNoWords: ({ context }: Situation) => !hasWords(context.said),
  endsAtOnce: ({ context }: Situation) => endsAtOnce(context),
  asksDetector: ({ context: { said, policy } }: Situation) =>
    policy.endpointing.asksDetector && said.endOfTurn === null && isComplete(said),
  wantsNoAnswer: ({ context: { said, policy } }: Situation) =>
    !said.isTyped && saysOnly(turnText(said), policy.interruption.stopWords),

  maySpeculateAtOnce: ({ context }: Situation) => maySpeculate(context) && isComplete(context.said),
  maySpeculateSoon: ({ context }: Situation) => maySpeculate(context) && context.said.partial !== null,
  isSpeculationStale: ({ context }: Situation) => !matchesSpeculation(context),
  isSpeculationRight: ({ context }: Situation) => context.speculation !== null && matchesSpeculation(context),
  isFromSpeculation: ({ context }: Situation, { replyId }: { replyId: string }) =>
    context.speculation?.replyId === replyId,

  isBroken: ({ context }: Situation, { child }: { child: string }) =>
    context.reply !== null && (child === context.reply.replyId || child === 'player'),
  isTurnAwaited: ({ context: { reply } }: Situation, { turnId }: { turnId: string }) =>
    reply?.turnId === turnId && (reply.stored === 'awaited' || reply.stored === 'not-durable'),
  isStoreAwaited: ({ context }: Situation) => context.reply?.stored === 'awaited',
  isFromReply: ({ context }: Situation, { replyId }: { replyId: string }) => context.reply?.replyId === replyId,
  hasSegment: ({ context }: Situation) => (context.reply?.waiting.length ?? 0) > 0,
  isTextOver: ({ context }: Situation) => context.reply?.end != null,
  isPlayedOut: ({ context }: Situation) => isPlayedOut(context.reply),
  hasFailed: ({ context }: Situation) => context.reply?.end?.ok === false,
  hasAnnouncement: ({ context }: Situation) => context.announcements.length > 0,
}

export const delays = {
  endpointing: ({ context, event }: Situation) =>
    Math.max(0, endpointAtMs(context.said, context.voice, context.policy) - momentOf(event)),
  maxOpenMs: ({ context }: Situation) => context.policy.endpointing.maxOpenMs,
  stableMs: ({ context }: Situation) => context.policy.speculation.stableMs,
  /** What is left until the open voice activity is long enough to count. */
  minDuration: ({ context, event }: Situation) =>
    Math.max(0, (context.voice?.startedAtMs ?? 0) + context.policy.interruption.minDurationMs - momentOf(event)),
  /** What is left until text is no longer held back for open voice activity. */
  longestHold: ({ context, event }: Situation) =>
    Math.max(0, (context.voice?.startedAtMs ?? 0) + context.policy.interruption.falseAfterMs - momentOf(event)),
  falseAfterMs: ({ context }: Situation) => context.policy.interruption.falseAfterMs,
  errorResetMs: ({ context }: Situation) => context.policy.errorResetMs,
  storeCommitMs: ({ context }: Situation) => context.policy.store.commitMs,
}

function momentOf(event: ConversationEvent): number {
  return momentIn(event).atMs ?? 0
}

function mayInterrupt({ policy, reply }: ConversationContext): boolean {
  return policy.interruption.enabled && reply?.protected !== true
}

/** A typed turn is complete as it stands; so is a final of a source that sends no voice activity. */
function endsAtOnce({ said, voice, policy }: ConversationContext): boolean {
  if (said.isTyped) return true
  const { noVadDelayMs, asksDetector, threshold } = policy.endpointing
  const isPredicted = asksDetector ? said.endOfTurn !== null && said.endOfTurn >= threshold : true
  return voice === null && isComplete(said) && noVadDelayMs === 0 && isPredicted
}

function maySpeculate({ said, policy }: ConversationContext): boolean {
  return policy.speculation.enabled && said.speculations < policy.speculation.maxAttempts
}

function matchesSpeculation({ said, speculation }: ConversationContext): boolean {
  return speculation !== null && foldWords(speculation.text) === foldWords(turnText(said))
}
