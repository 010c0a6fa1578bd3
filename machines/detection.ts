import { assign, fromPromise, setup } from 'xstate'
import type { Failure } from './vocabulary.ts'

/** A dialect that a server may turn out to speak. */
export type DetectedDialect = 'ollama-chat' | 'ollama-generate' | 'openai'

/** What one harmless look at a server found. */
export type ProbeVerdict =
  /** It speaks this dialect. */
  | { verdict: 'spoken'; version?: string }
  /** It answers, but not in this dialect; the note says how, for people. */
  | { verdict: 'foreign'; note?: string }
  /** It asks for a key, or for another one: no further probe is sent. */
  | { verdict: 'unauthorized'; failure: Failure }
  /** It does not answer, or not yet. */
  | { verdict: 'unreachable'; failure: Failure }

export interface ProbeInput {
  dialect: DetectedDialect
}

export interface DetectionInput {
  /** Dialects known not to be served, though their probe says so: their path was not found. */
  except?: readonly DetectedDialect[]
}

export interface DetectionContext {
  except: readonly DetectedDialect[]
  dialect?: DetectedDialect
  version?: string
  failure?: Failure
  /** What the server answered instead, for people. */
  notes: string[]
}

/** How a detection ended. */
export type DetectionOutput = Pick<DetectionContext, 'dialect' | 'version' | 'failure' | 'notes'> & {
  outcome: 'found' | 'unauthorized' | 'unreachable' | 'unrecognized'
}

const unprovidedProbe = fromPromise<ProbeVerdict, ProbeInput>(() =>
  Promise.reject(new Error('actor "probe" is not provided: call machine.provide({ actors: { probe: … } }) first')),
)

/**
 * Finds out which API a server speaks, with looks that load no model and change nothing: Ollama's chat, Ollama's
 * generate, OpenAI's, in that order. The first 401 or 403 ends it, since every further look would be refused too.
 */
export const detectionMachine = setup({
  types: {
    context: {} as DetectionContext,
    input: {} as DetectionInput | undefined,
    output: {} as DetectionOutput,
    tags: {} as 'probing',
  },
  actors: { probe: unprovidedProbe },
  actions: {
    keepFinding: assign(({ context }, { found, dialect }: { found: ProbeVerdict; dialect: DetectedDialect }) => {
      switch (found.verdict) {
        case 'spoken':
          return found.version === undefined ? { dialect } : { dialect, version: found.version }
        case 'foreign':
          return found.note === undefined ? {} : { notes: [...context.notes, found.note] }
        default:
          return { failure: found.failure }
      }
    }),
    keepProbeError: assign({
      failure: { code: 'internal', message: 'A probe failed by itself; the server was not asked.', retryable: false },
    }),
  },
  guards: {
    isExcepted: ({ context }, { dialect }: { dialect: DetectedDialect }) => context.except.includes(dialect),
    hasVerdict: (_, { found, wanted }: { found: ProbeVerdict; wanted: ProbeVerdict['verdict'] }) =>
      found.verdict === wanted,
  },
}).createMachine({
  id: 'detection',
  description: 'Which API does the server speak?',
  context: ({ input }) => ({ except: input?.except ?? [], notes: [] }),
  initial: 'probingOllamaChat',
  states: {
    probingOllamaChat: {
      description: 'Asks for Ollama’s version, its models, and whether /api/chat is there.',
      tags: ['probing'],
      always: { guard: { type: 'isExcepted', params: { dialect: 'ollama-chat' } }, target: 'probingOllamaGenerate' },
      invoke: {
        src: 'probe',
        input: { dialect: 'ollama-chat' },
        onDone: [
          {
            guard: { type: 'hasVerdict', params: ({ event }) => ({ found: event.output, wanted: 'spoken' }) },
            target: 'found',
            actions: { type: 'keepFinding', params: ({ event }) => ({ found: event.output, dialect: 'ollama-chat' }) },
          },
          {
            guard: { type: 'hasVerdict', params: ({ event }) => ({ found: event.output, wanted: 'unauthorized' }) },
            target: 'unauthorized',
            actions: { type: 'keepFinding', params: ({ event }) => ({ found: event.output, dialect: 'ollama-chat' }) },
          },
          {
            guard: { type: 'hasVerdict', params: ({ event }) => ({ found: event.output, wanted: 'unreachable' }) },
            target: 'unreachable',
            actions: { type: 'keepFinding', params: ({ event }) => ({ found: event.output, dialect: 'ollama-chat' }) },
          },
          {
            target: 'probingOllamaGenerate',
            actions: { type: 'keepFinding', params: ({ event }) => ({ found: event.output, dialect: 'ollama-chat' }) },
          },
        ],
        onError: { target: 'unreachable', actions: 'keepProbeError' },
      },
    },
    probingOllamaGenerate: {
      description: 'The same for /api/generate, which servers without chat have.',
      tags: ['probing'],
      always: { guard: { type: 'isExcepted', params: { dialect: 'ollama-generate' } }, target: 'probingOpenai' },
      invoke: {
        src: 'probe',
        input: { dialect: 'ollama-generate' },
        onDone: [
          {
            guard: { type: 'hasVerdict', params: ({ event }) => ({ found: event.output, wanted: 'spoken' }) },
            target: 'found',
            actions: {
              type: 'keepFinding',
              params: ({ event }) => ({ found: event.output, dialect: 'ollama-generate' }),
            },
          },
          {
            guard: { type: 'hasVerdict', params: ({ event }) => ({ found: event.output, wanted: 'unauthorized' }) },
            target: 'unauthorized',
            actions: {
              type: 'keepFinding',
              params: ({ event }) => ({ found: event.output, dialect: 'ollama-generate' }),
            },
          },
          {
            guard: { type: 'hasVerdict', params: ({ event }) => ({ found: event.output, wanted: 'unreachable' }) },
            target: 'unreachable',
            actions: {
              type: 'keepFinding',
              params: ({ event }) => ({ found: event.output, dialect: 'ollama-generate' }),
            },
          },
          {
            target: 'probingOpenai',
            actions: {
              type: 'keepFinding',
              params: ({ event }) => ({ found: event.output, dialect: 'ollama-generate' }),
            },
          },
        ],
        onError: { target: 'unreachable', actions: 'keepProbeError' },
      },
    },
    probingOpenai: {
      description: 'Asks for the list of models at /v1.',
      tags: ['probing'],
      always: { guard: { type: 'isExcepted', params: { dialect: 'openai' } }, target: 'unrecognized' },
      invoke: {
        src: 'probe',
        input: { dialect: 'openai' },
        onDone: [
          {
            guard: { type: 'hasVerdict', params: ({ event }) => ({ found: event.output, wanted: 'spoken' }) },
            target: 'found',
            actions: { type: 'keepFinding', params: ({ event }) => ({ found: event.output, dialect: 'openai' }) },
          },
          {
            guard: { type: 'hasVerdict', params: ({ event }) => ({ found: event.output, wanted: 'unauthorized' }) },
            target: 'unauthorized',
            actions: { type: 'keepFinding', params: ({ event }) => ({ found: event.output, dialect: 'openai' }) },
          },
          {
            guard: { type: 'hasVerdict', params: ({ event }) => ({ found: event.output, wanted: 'unreachable' }) },
            target: 'unreachable',
            actions: { type: 'keepFinding', params: ({ event }) => ({ found: event.output, dialect: 'openai' }) },
          },
          {
            target: 'unrecognized',
            actions: { type: 'keepFinding', params: ({ event }) => ({ found: event.output, dialect: 'openai' }) },
          },
        ],
        onError: { target: 'unreachable', actions: 'keepProbeError' },
      },
    },
    found: { description: 'The dialect is known.', type: 'final' },
    unauthorized: { description: 'The server wants a key, or another one: the apiKey setting.', type: 'final' },
    unreachable: { description: 'Nothing answers yet. The next use looks again.', type: 'final' },
    unrecognized: { description: 'Something answers that speaks none of the dialects.', type: 'final' },
  },
  output: ({ context: { dialect, version, failure, notes } }) => ({
    outcome: outcomeOf(dialect, failure),
    notes,
    ...(dialect === undefined ? {} : { dialect }),
    ...(version === undefined ? {} : { version }),
    ...(failure === undefined ? {} : { failure }),
  }),
})

function outcomeOf(dialect: DetectedDialect | undefined, failure: Failure | undefined): DetectionOutput['outcome'] {
  if (dialect !== undefined) return 'found'
  if (failure === undefined) return 'unrecognized'
  return failure.code === 'auth' ? 'unauthorized' : 'unreachable'
}
