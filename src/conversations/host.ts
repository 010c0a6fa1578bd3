import type { InspectionEvent } from 'xstate'
import type { conversationMachine } from '../../machines/conversation/machine.ts'
import type { Clock, ServiceEvent, Turn } from '../../machines/vocabulary.ts'
import type { SpeechParser } from '../listening/parse-speech.ts'
import type { Archive } from '../persistence/archive.ts'
import type { Logger } from '../runtime/collaborators/logger.ts'
import type { Report } from '../runtime/collaborators/report.ts'
import type { Character } from './character.ts'
import type { Resident } from './resident.ts'

/** What a service lends to its conversations. */
export interface ResidentHost {
  clock: Clock
  logger: Logger | undefined
  report: Report
  archive: Archive | undefined
  parse: SpeechParser
  /** The one chart of the service, provided with its world. */
  machine: typeof conversationMachine
  inspect: ((event: InspectionEvent) => void) | undefined
  /** Hears every event before those who subscribed to the conversation. */
  publish(event: ServiceEvent): void
}

/** Who keeps a conversation in memory, and hears of what matters for that. */
export interface ResidentKeeper {
  /** What a store kept of it has been read. */
  onOpened(resident: Resident): void
  /** It fell quiet, or is so no longer. */
  onStirred(resident: Resident): void
  /** Its actor is done: stopped, or broken. */
  onEnded(resident: Resident): void
}

/** What one life begins with. */
export interface ResidentGiven {
  character: Character
  history: readonly Turn[] | undefined
  /** false: nothing is spoken, so nothing hurries, and segments are whole sentences. */
  isSpoken?: boolean
}
