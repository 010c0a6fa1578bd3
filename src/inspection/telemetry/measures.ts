import type { Attributes, Meter } from '@opentelemetry/api'
import type { ResponseGenerated, Timings } from '../../../machines/vocabulary.ts'

/** The metrics of conversations. Everything that is a time is in seconds, as OpenTelemetry wants it. */
export interface Measures {
  /** A reply whose text is complete, with what its backend told. */
  reply(event: ResponseGenerated, attributes: Attributes): void
  /** A request that gave no whole reply. */
  failedReply(durationMs: number, attributes: Attributes): void
  turn(ending: string, timings: Timings, attributes: Attributes): void
  error(code: string, attributes: Attributes): void
}

/** Boundaries that the GenAI conventions advise for client durations. */
const durationSeconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
const chunkSeconds = [0.001, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56]
const tokenCounts = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576]

export function createMeasures(meter: Meter): Measures {
  const seconds = (name: string, description: string, explicitBucketBoundaries = durationSeconds) => {
    const histogram = meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries } })
    return (ms: number | undefined, attributes: Attributes) => {
      if (ms !== undefined) histogram.record(ms / 1_000, attributes)
    }
  }
  const duration = seconds('gen_ai.client.operation.duration', 'From the request for a reply to its last word.')
  const firstChunk = seconds('gen_ai.client.operation.time_to_first_chunk', 'From the request to the first text.')
  const perChunk = seconds('gen_ai.client.operation.time_per_output_chunk', 'Between two tokens.', chunkSeconds)
  const tokens = meter.createHistogram('gen_ai.client.token.usage', {
    description: 'Tokens read and written.',
    unit: '{token}',
    advice: { explicitBucketBoundaries: tokenCounts },
  })
  // The conventions have no words for voice: these are ours.
  const firstSegment = seconds('colloquy.time_to_first_segment', 'From the request to the first words for the sink.')
  const firstAudio = seconds('colloquy.time_to_first_audio', 'From the end of the caller’s speech to the first sound.')
  const silence = seconds('colloquy.barge_in_to_silence', 'From the caller’s voice to the sink’s silence.')
  const queue = seconds('colloquy.queue_time', 'Waiting for a slot of the backend.')
  const load = seconds('colloquy.model_load_time', 'Loading the model, as the backend tells.')
  const prompt = seconds('colloquy.prompt_time', 'Reading the prompt, as the backend tells.')
  const turns = meter.createCounter('colloquy.turns', { description: 'Turns by how they ended.', unit: '{turn}' })
  const errors = meter.createCounter('colloquy.errors', { description: 'Errors by their code.', unit: '{error}' })

  return {
    reply({ timings, usage }, attributes) {
      duration(timings.totalMs, attributes)
      firstChunk(timings.timeToFirstTokenMs, attributes)
      const { tokensPerSecond } = timings
      if (tokensPerSecond !== undefined && tokensPerSecond > 0) perChunk(1_000 / tokensPerSecond, attributes)
      queue(timings.queueMs, attributes)
      load(timings.loadMs, attributes)
      prompt(timings.promptMs, attributes)
      if (usage.promptTokens !== undefined)
        tokens.record(usage.promptTokens, { ...attributes, 'gen_ai.token.type': 'input' })
      if (usage.replyTokens !== undefined)
        tokens.record(usage.replyTokens, { ...attributes, 'gen_ai.token.type': 'output' })
    },
    failedReply: duration,
    turn(ending, timings, attributes) {
      turns.add(1, { ...attributes, 'colloquy.turn.ending': ending })
      firstSegment(timings.timeToFirstSegmentMs, attributes)
      firstAudio(timings.timeToFirstAudioMs, attributes)
      silence(timings.bargeInToSilenceMs, attributes)
    },
    error: (code, attributes) => errors.add(1, { ...attributes, 'error.type': code }),
  }
}
