/** What the scripted responder can say: a greeting, the time, a sum, a remembered name. No language model is in it. */

import { calculate } from './calculate.ts'

/** One turn as the prompt has it. */
export interface Said {
  role: string
  content: string
}

export interface Moment {
  /** For example `14:05`. */
  time: string
  /** For example `Monday, 3 March`. */
  day: string
}

const greeting = /^(hi|hello|hey|good (morning|afternoon|evening)|greetings)\b/iu
const naming = /\b(?:my name is|call me|i am called|my name's)\s+(\p{L}[\p{L}'’-]*)/iu
const askingName = /\b(what('?s| is) my name|who am i|remember my name|know my name)\b/iu
const askingTime = /\b(what time|the time|how late)\b/iu
const askingDay = /\b(what day|which day|what date|the date|today)\b/iu
const thanking = /^(thanks|thank you|cheers)\b/iu
const parting = /^(bye|goodbye|good night|see you)\b/iu
const askingSelf = /\b(who are you|what are you|are you (a|an|real|human)|your name)\b/iu
const askingHelp = /\b(help|what can you do)\b/iu

export const abilities = 'I can greet you, tell the time and the day, do a sum, and remember your name.'
export const noModel = 'I am a small scripted responder, not a language model.'

/** The reply to the last thing said. Names are looked for in everything that was said before. */
export function scriptedAnswer(messages: readonly Said[], now: Moment): string {
  const said = messages.filter(({ role }) => role === 'user').map(({ content }) => content.trim())
  const latest = said.at(-1) ?? ''
  const name = rememberedName(said)
  const told = naming.exec(latest)?.[1]
  if (told !== undefined) return `Nice to meet you, ${told}. I will remember your name while we talk.`
  if (askingName.test(latest))
    return name === undefined ? 'You have not told me your name yet.' : `Your name is ${name}.`
  const sum = calculate(latest)
  if (sum !== undefined) return sum
  if (askingTime.test(latest)) return `It is ${now.time}.`
  if (askingDay.test(latest)) return `Today is ${now.day}.`
  if (askingSelf.test(latest)) return `${noModel} ${abilities}`
  if (greeting.test(latest)) return `Hello${name === undefined ? '' : `, ${name}`}! ${noModel} ${abilities}`
  if (thanking.test(latest)) return 'You are welcome.'
  if (parting.test(latest)) return `Goodbye${name === undefined ? '' : `, ${name}`}.`
  if (askingHelp.test(latest)) return `${abilities} For real answers, start a model server or run: colloquy model pull.`
  return `That is beyond me. ${noModel} ${abilities}`
}

function rememberedName(said: readonly string[]): string | undefined {
  return said.flatMap((words) => naming.exec(words)?.[1] ?? []).at(-1)
}
