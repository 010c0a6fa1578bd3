import type { Attributes } from '@opentelemetry/api'
import type { ResponseGenerated, Timings } from '../../../machines/vocabulary.ts'
import { LlmError } from '../../backends/contract.ts'

/** What a reply tells about its model, in the words of the GenAI conventions (development status). */
export function replyAttributes({
  model,
  backend,
  finishReason,
  usage,
  cached,
  fallback,
}: ResponseGenerated): Attributes {
  return {
    ...modelAttributes({ model, backend }),
    'gen_ai.response.finish_reasons': [finishReason === 'stop' ? 'stop' : 'length'],
    'colloquy.reply.fallback': fallback,
    'colloquy.reply.cached': cached,
    ...known({
      'gen_ai.usage.input_tokens': usage.promptTokens,
      'gen_ai.usage.output_tokens': usage.replyTokens,
      'gen_ai.usage.cache_read.input_tokens': usage.cachedPromptTokens,
    }),
  }
}

export function modelAttributes({ model, backend }: { model: string; backend: string }): Attributes {
  return {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': providerOf(backend),
    'gen_ai.request.model': model,
    'gen_ai.response.model': model,
  }
}

/** A dialect is not a provider: many servers speak OpenAI's. The name is what the conventions have for that. */
function providerOf(backend: string): string {
  return backend.startsWith('ollama') ? 'ollama' : backend
}

/** Our own namespace; seconds, like everything in OpenTelemetry. */
export function timingAttributes(timings: Timings): Attributes {
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1_000)
  return known({
    'colloquy.time_to_first_token': seconds(timings.timeToFirstTokenMs),
    'colloquy.time_to_first_segment': seconds(timings.timeToFirstSegmentMs),
    'colloquy.time_to_first_audio': seconds(timings.timeToFirstAudioMs),
    'colloquy.barge_in_to_silence': seconds(timings.bargeInToSilenceMs),
    'colloquy.queue_time': seconds(timings.queueMs),
    'colloquy.model_load_time': seconds(timings.loadMs),
    'colloquy.prompt_time': seconds(timings.promptMs),
    'colloquy.tokens_per_second': timings.tokensPerSecond,
  })
}

/** Host and port alone: an address may carry credentials. Throws LlmError `config` for what is no address. */
export function serverAttributes(baseUrl: string | undefined): Attributes {
  if (baseUrl === undefined) return {}
  if (!URL.canParse(baseUrl))
    throw new LlmError('config', { message: 'baseUrl must be an http:// or https:// address' })
  const { hostname, port, protocol } = new URL(baseUrl)
  return { 'server.address': hostname, 'server.port': port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) }
}

/** A message as the conventions write it into one attribute. */
export function messages(role: 'user' | 'assistant', content: string): string {
  return JSON.stringify([{ role, parts: [{ type: 'text', content }] }])
}

function known(all: Record<string, number | undefined>): Attributes {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}
