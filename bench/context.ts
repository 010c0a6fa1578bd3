/**
 * What a context policy costs: prompt tokens that the server must read while the caller waits, over 200 turns, and the
 * time to the first token on the real engine over 60. Every policy gets the same words in the same run.
 *
 *     npm run bench:context
 */
import { Observable } from 'rxjs'
import type { ChatMessage } from '../src/backends/contract.ts'
import { createLlmService, type Playback, type SpeechSink } from '../src/index.ts'
import { virtualClock } from '../src/testing/index.ts'
import { measureEngine } from './context-engine.ts'
import { measuredTurns, slide, type MeasuredTurn } from './context-talk.ts'
import { prefixServer, tokensOf, type PrefixServer } from './prefix-server.ts'

const contextTokens = 4_096
const replyTokens = 512
const systemPrompt = 'You are a helpful voice assistant in a house. '.repeat(26)
const system: ChatMessage = { role: 'system', content: systemPrompt }
const count = ({ content }: ChatMessage) => tokensOf(content) + 4

/** colloquy as it is. With `prewarms` the server reads the new prefix after an eviction, while nobody waits. */
async function ours(turns: readonly MeasuredTurn[], prewarms: boolean): Promise<PrefixServer> {
  const clock = virtualClock()
  const server = prefixServer(contextTokens)
  if (!prewarms) delete server.prewarm
  let audible = 0
  // Plays whole segments at once, and hangs in the one in which the caller barges in.
  const sink: SpeechSink = {
    play: ({ text }) =>
      new Observable<Playback>((listener) => {
        const chars = Math.min(text.length, audible)
        audible -= text.length + 1
        listener.next({ type: 'started' })
        listener.next({ type: 'progressed', chars: Math.max(0, chars) })
        if (chars < text.length) return
        listener.next({ type: 'finished' })
        listener.complete()
      }),
  }
  const service = createLlmService({
    clock,
    backend: server,
    sink,
    systemPrompt,
    context: { contextTokens, replyTokens },
    countTokens: (_model, text) => tokensOf(text),
  })
  const conversation = service.conversation()
  for (const { utterance, reply, heardChars } of turns) {
    server.next = reply
    audible = heardChars
    const outcome = conversation.ask(utterance)
    await clock.settle()
    if (heardChars < reply.length) conversation.interrupt()
    await outcome
    await clock.settle()
  }
  await service.close()
  return server
}

/** The oldest message goes before each turn, as soon as the window is full. */
async function sliding(turns: readonly MeasuredTurn[]): Promise<PrefixServer> {
  const server = prefixServer(contextTokens)
  const history: ChatMessage[] = []
  const never = new AbortController().signal
  for (const { utterance, reply, heardChars } of turns) {
    server.next = reply
    history.push({ role: 'user', content: utterance })
    const messages = slide(system, history, { budgetTokens: contextTokens - replyTokens, count })
    await server.stream({ model: 'm1', messages }, () => {}, never)
    const heard = reply.slice(0, heardChars)
    if (heard !== '') history.push({ role: 'assistant', content: heard })
  }
  return server
}

function row(name: string, { evaluated, ahead }: PrefixServer, base: number): string {
  const total = evaluated.reduce((sum, tokens) => sum + tokens, 0)
  const p95 = evaluated.toSorted((a, b) => a - b)[Math.floor(evaluated.length * 0.95)] ?? 0
  const ratio = (base || total) / total
  return `| ${name} | ${total} | ${p95} | ${ahead} | ${ratio.toFixed(1)} |`
}

const turns = measuredTurns(200, [80, 220])
const slid = await sliding(turns)
const base = slid.evaluated.reduce((sum, tokens) => sum + tokens, 0)
console.log('200 turns, window 4096, 512 for the reply, 300 system, 15 % barge-ins\n')
console.log('| policy | prompt tokens read while the caller waits | p95 a turn | read ahead | times fewer |')
console.log('| --- | --- | --- | --- | --- |')
console.log(row('slide each turn', slid, base))
console.log(row('ours, no reading ahead', await ours(turns, false), base))
console.log(row('ours', await ours(turns, true), base))
console.log('')
if (!process.argv.includes('--simulated')) await measureEngine()
