/** The public API of colloquy, every export by name. */
export type { Conversation } from './conversations/conversation.ts'
export type { AskOptions, SayOptions } from './conversations/turn/asking.ts'
export type { ConversationChanges, ConversationSettings } from './conversations/character.ts'
export type { ConversationLine } from './conversations/lines.ts'
export type { GenerateOptions, Reply, ReplyResult } from './conversations/generate.ts'
export { createLlmService, type LlmService } from './runtime/service.ts'
export type { ChatResponse } from './runtime/send-request.ts'
export type { TurnOutcome } from './conversations/turn/outcome.ts'
export type { Collaborators, LlmServiceOptions } from './runtime/options.ts'
export type { EndpointDetector } from './runtime/collaborators/detector.ts'
export type { Inspect } from './runtime/collaborators/inspector.ts'
export type { Logger } from './runtime/collaborators/logger.ts'
export type { SettingsOf } from './runtime/collaborators/settings-of.ts'
export type { ContextFacts } from './runtime/collaborators/prompt-hooks.ts'
export type { BackendInfo, ConnectionReport } from './connecting/backend-connection.ts'
export type { Diagnosis } from './diagnosing/diagnose.ts'
export {
  busFromEventEmitter,
  createEventBus,
  type BusEvent,
  type EmitterLike,
  type EventBus,
  type LocalEventBus,
} from './runtime/event-bus.ts'
export { systemClock } from './runtime/clock.ts'
export { foldHistory, type HistoryFact } from './history/fold-history.ts'
export { sqliteStore, type SqliteStoreOptions } from './persistence/sqlite/store.ts'
export {
  readStoredConversation,
  type Remembered,
  type StoredConversationRead,
  type Unfinished,
} from './persistence/record.ts'
export type {
  ConversationStore,
  SetAside,
  StoredConversation,
  StoredLine,
  StoredSummary,
  StoreWrite,
} from './persistence/store.ts'
export { defineTool, type Tool, type ToolContext } from './generation/tools.ts'
export type { AmbientContext, AmbientPolicy } from './listening/ambient-policy.ts'
export { toSentences } from './speaking/to-sentences.ts'
export { sinkFrom, type Playback, type SpeechSink } from './speaking/sink.ts'
export { Config, type ConfigInput, type Settings } from './config/config.ts'
export {
  LlmError,
  type Backend,
  type BackendEnd,
  type BackendName,
  type BackendRecord,
  type ChatMessage,
  type ChatRequest,
  type ModelInfo,
  type ToolCall,
  type ToolDefinition,
} from './backends/contract.ts'
export type {
  Clock,
  Delta,
  ErrorCode,
  Failure,
  PromptMetrics,
  Segment,
  ServiceEvent,
  SpeechEvent,
  Timings,
  ToolOutcome,
  Turn,
  Usage,
} from '../machines/vocabulary.ts'
