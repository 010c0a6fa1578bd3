import type { Backend, ChatMessage } from '../src/backends/contract.ts'
import { createEmbeddedBackend } from '../src/backends/embedded/embedded.ts'
import { createLlmService, systemClock } from '../src/index.ts'
import { cacheFolder } from '../src/provision/cache-folder.ts'
import { resolveModel } from '../src/provision/list-models.ts'
import { provisionEngine } from '../src/provision/provision-engine.ts'
import { pullModel } from '../src/provision/pull-model.ts'
import { measuredTurns, slide } from './context-talk.ts'

const contextTokens = 1_024
const replyTokens = 48
const turns = 60
const systemPrompt = 'You are a helpful voice assistant in a house. Answer in one short sentence. '.repeat(6)
const modelName = 'smollm2-135m'

/** Sixty turns on SmolLM2 in a window small enough to evict often: ours and slide-each-turn take each turn in turn. */
export async function measureEngine(): Promise<void> {
  const options = { clock: systemClock, cacheDir: cacheFolder(), onProgress() {}, environment: process.env }
  const engineDir = await provisionEngine(options)
  const model = (await resolveModel(modelName, options)) ?? (await pullModel(modelName, options))
  const open = () => createEmbeddedBackend({ engineDir, modelPath: model.path, modelName: model.name, contextTokens })
  // An engine each, so that neither helps nor hurts the other's cache.
  const [mine, theirs] = await Promise.all([open(), open()])
  await mine.load(new AbortController().signal)
  await theirs.load(new AbortController().signal)
  const service = createLlmService({
    backend: mine,
    systemPrompt,
    context: { contextTokens, replyTokens },
    generation: { temperature: 0 },
    timeouts: { firstTokenMs: 120_000, queueMs: 120_000 },
  })
  const conversation = service.conversation()
  const history: ChatMessage[] = []
  const times: { ours: number[]; sliding: number[] } = { ours: [], sliding: [] }
  const read = { ours: 0, sliding: 0 }
  service.events.subscribe((event) => {
    if (event.type === 'RESPONSE_GENERATED') read.ours += event.prompt?.evaluatedTokens ?? 0
  })
  for (const { utterance } of measuredTurns(turns, [20, 40])) {
    const outcome = await conversation.ask(utterance)
    if (outcome.timings.timeToFirstTokenMs !== undefined) times.ours.push(outcome.timings.timeToFirstTokenMs)
    history.push({ role: 'user', content: utterance })
    const { firstTokenMs, text, evaluated } = await request(theirs, model.name, history)
    times.sliding.push(firstTokenMs)
    read.sliding += evaluated
    history.push({ role: 'assistant', content: text })
  }
  await service.close()
  await Promise.all([mine.close(), theirs.close()])
  console.log(`SmolLM2-135M in the process, ${turns} turns, window ${contextTokens}\n`)
  console.log('| policy | time to first token p50 ms | p95 ms | mean ms | prompt tokens read |')
  console.log('| --- | --- | --- | --- | --- |')
  console.log(row('slide each turn', times.sliding, read.sliding))
  console.log(row('ours', times.ours, read.ours))
}

async function request(backend: Backend, model: string, history: readonly ChatMessage[]) {
  const system: ChatMessage = { role: 'system', content: systemPrompt }
  const messages = slide(system, history, {
    budgetTokens: contextTokens - replyTokens - 24,
    count: ({ content }) => Math.ceil(content.length / 3.6) + 5,
  })
  const startedAtMs = systemClock.now()
  let firstTokenMs = 0
  let text = ''
  const { usage } = await backend.stream(
    { model, messages, maxTokens: replyTokens, contextTokens, temperature: 0 },
    (record) => {
      if (record.type !== 'delta') return
      if (text === '') firstTokenMs = systemClock.now() - startedAtMs
      text += record.text
    },
    new AbortController().signal,
  )
  return { firstTokenMs, text, evaluated: (usage.promptTokens ?? 0) - (usage.cachedPromptTokens ?? 0) }
}

function row(name: string, times: readonly number[], tokens: number): string {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (part: number) => Math.round(sorted[Math.floor((sorted.length - 1) * part)] ?? 0)
  const mean = Math.round(times.reduce((sum, ms) => sum + ms, 0) / Math.max(1, times.length))
  return `| ${name} | ${at(0.5)} | ${at(0.95)} | ${mean} | ${tokens} |`
}
