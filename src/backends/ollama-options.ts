import type { ChatRequest } from './contract.ts'
import type { Spoken } from './redaction.ts'

export const defaultReplyTokens = 512

/**
 * `options` of a request. Ollama reloads a model whose runner options change (num_ctx, num_batch, num_gpu …), so only
 * num_ctx is ever named, and only where the caller fixed the window; the rest steers sampling and reloads nothing.
 */
export function ollamaOptions(request: ChatRequest, stop: readonly string[] = []) {
  const stops = [...(request.stop ?? []), ...stop]
  return {
    // the server's own default is no limit at all
    num_predict: request.maxTokens ?? defaultReplyTokens,
    ...(request.contextTokens === undefined ? {} : { num_ctx: request.contextTokens }),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.topP === undefined ? {} : { top_p: request.topP }),
    ...(request.seed === undefined ? {} : { seed: request.seed }),
    ...(stops.length === 0 ? {} : { stop: stops }),
  }
}

/** What chat and generate share. An overlong prompt is an error rather than a prompt without its beginning. */
export function ollamaCommon(request: ChatRequest, stop?: readonly string[]) {
  return {
    model: request.model,
    // a model that can think does so unless told not to; a voice cannot wait for that
    think: request.think ?? false,
    truncate: false,
    shift: false,
    ...(request.keepAlive === undefined ? {} : { keep_alive: request.keepAlive }),
    options: ollamaOptions(request, stop),
  }
}

/** What the caller said and heard, and what functions were given and gave: an error message must not repeat it. */
export function spokenIn({ messages, tools = [] }: ChatRequest): Spoken {
  const said = messages.filter(({ role }) => role !== 'system')
  return {
    words: said.flatMap(({ content, toolCalls = [] }) => [
      content,
      ...toolCalls.map(({ arguments: given }) => (typeof given === 'string' ? given : JSON.stringify(given))),
    ]),
    // A model that called before may do so again, though it is offered nothing.
    calls: tools.length > 0 || said.some(({ role }) => role === 'tool'),
  }
}
