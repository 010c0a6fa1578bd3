import { Subject } from 'rxjs'
import type { Clock, Conversation, LlmService, SpeechEvent, Turn } from '../../src/index.ts'
import { seededRandom } from '../../src/testing/seeded-random.ts'
import { faultySink } from './faulty-sink.ts'

export interface CallerOptions {
  service: LlmService
  clock: Clock
  seed: number
  /** No new turn after this moment. */
  untilMs: number
  /** Is told what a conversation remembers when it is over. */
  remembers(id: string, history: readonly Turn[]): void
}

const longestConversation = 20

/** One caller after the other on the same line: asks, talks over replies, hangs up, until the time is over. */
export async function soakCaller({ service, clock, seed, untilMs, remembers }: CallerOptions): Promise<void> {
  const random = seededRandom(seed)
  const pause = (ms: number) => new Promise<void>((resolve) => void clock.schedule(resolve, ms))
  const between = (from: number, to: number) => from + random() * (to - from)
  await pause(between(0, 2_000))
  for (let call = 0; clock.now() < untilMs; call++) {
    const conversation = service.conversation(
      `line-${seed}-${call}`,
      random() < 0.5 ? { sink: faultySink(clock, random) } : {},
    )
    const speech = new Subject<SpeechEvent>()
    const hearing = conversation.listenTo(speech)
    const turns = 1 + Math.floor(random() * longestConversation)
    for (let turn = 0; turn < turns && clock.now() < untilMs; turn++) {
      await oneTurn(conversation, speech, random, pause)
      await pause(between(500, 2_500))
    }
    await conversation.stop()
    hearing.unsubscribe()
    remembers(conversation.id, conversation.history)
  }
}

async function oneTurn(
  conversation: Conversation,
  speech: Subject<SpeechEvent>,
  random: () => number,
  pause: (ms: number) => Promise<void>,
): Promise<void> {
  const dice = random()
  if (dice < 0.1) {
    await conversation.say('Your tea is ready. Enjoy it.')
    return
  }
  if (dice < 0.25) {
    speech.next({ type: 'SPEECH_STARTED' })
    speech.next({ type: 'SPEECH_PARTIAL', text: 'what time' })
    await pause(random() * 50)
    speech.next({ type: 'SPEECH_DETECTED', text: 'what time is it' })
    speech.next({ type: 'SPEECH_ENDED' })
    await pause(random() * 300)
    return
  }
  const outcome = conversation.ask('what time does the train leave')
  if (dice < 0.4) {
    await pause(random() * 200)
    speech.next({ type: 'SPEECH_DETECTED', text: 'no wait, the other one' })
  } else if (dice < 0.5) {
    await pause(random() * 100)
    conversation.interrupt()
  } else if (dice < 0.53) {
    await pause(random() * 100)
    await conversation.stop()
  }
  await outcome
}
