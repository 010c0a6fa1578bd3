import type { ChatRequest } from '../contract.ts'
import { defaultReplyTokens } from '../server-options.ts'

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
