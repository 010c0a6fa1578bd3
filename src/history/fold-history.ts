import type {
  AmbientSpeechIgnored,
  CallerTurnEnded,
  CallPlace,
  ErrorOccurred,
  ResponseFinished,
  ResponseInterrupted,
  ServiceEvent,
  ToolCalled,
  Turn,
} from '../../machines/vocabulary.ts'

/** What history needs of the facts that it is made of: a log may have kept no more. */
export type HistoryFact =
  | Pick<CallerTurnEnded, 'type' | 'turnId' | 'text' | 'speaker'>
  | Pick<ResponseFinished, 'type' | 'turnId' | 'heard'>
  | Pick<ResponseInterrupted, 'type' | 'turnId' | 'heard'>
  | Pick<ErrorOccurred, 'type' | 'turnId' | 'heard'>
  | Pick<AmbientSpeechIgnored, 'type' | 'kept' | 'speaker'>
  | Pick<ToolCalled, 'type' | 'turnId' | 'id' | 'name' | 'arguments' | 'result' | 'outcome' | keyof CallPlace>

/**
 * What was said and heard, as a fold over the events of one conversation: the same events give the same history,
 * live or read back from a log.
 *
 *     const history = events.reduce(foldHistory, [])
 */
export function foldHistory(history: readonly Turn[], event: ServiceEvent | HistoryFact): readonly Turn[] {
  switch (event.type) {
    case 'CALLER_TURN_ENDED': {
      const { text, turnId, speaker } = event
      return [...history, { role: 'user', text, turnId, ...(speaker === undefined ? {} : { speaker }) }]
    }
    case 'TOOL_CALLED': {
      const { id, name, arguments: given, result, outcome, turnId } = event
      const call = { id, name, arguments: given }
      return [...history, { role: 'tool', text: result, turnId, call, outcome, ...placeOf(event) }]
    }
    case 'RESPONSE_FINISHED':
      return event.heard === '' ? history : [...history, { role: 'assistant', text: event.heard, turnId: event.turnId }]
    case 'RESPONSE_INTERRUPTED':
      return event.heard === ''
        ? history
        : [...history, { role: 'assistant', text: event.heard, turnId: event.turnId, interrupted: true }]
    case 'ERROR_OCCURRED': {
      if (event.heard === undefined || event.heard === '') return history
      const turn = event.turnId === undefined ? {} : { turnId: event.turnId }
      return [...history, { role: 'assistant', text: event.heard, ...turn, interrupted: true }]
    }
    case 'AMBIENT_SPEECH_IGNORED': {
      if (event.kept === undefined) return history
      return [
        ...history,
        { role: 'user', text: event.kept, ...(event.speaker === undefined ? {} : { speaker: event.speaker }) },
      ]
    }
    default:
      return history
  }
}

function placeOf({ round, index, saidChars }: CallPlace): CallPlace {
  return {
    ...(round === undefined ? {} : { round }),
    ...(index === undefined ? {} : { index }),
    ...(saidChars === undefined ? {} : { saidChars }),
  }
}
