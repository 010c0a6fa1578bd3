/** `colloquy/testing`: a clock, a backend, a sink and replies that do as they are told. */
export { virtualClock } from './virtual-clock.ts'
export type { VirtualClock } from './virtual-clock.ts'
export { scriptedBackend } from './scripted-backend.ts'
export type {
  BackendScript,
  ScriptedAnswer,
  ScriptedBackend,
  ScriptedFault,
  ScriptedRequest,
} from './scripted-backend.ts'
export { scriptedSink } from './scripted-sink.ts'
export type { PlayedSegment, ScriptedSink, SinkScript } from './scripted-sink.ts'
export { scriptedStore } from './scripted-store.ts'
export type { ScriptedStore } from './scripted-store.ts'
export { scriptedReply } from './scripted-reply.ts'
export type { ReplyScript } from './scripted-reply.ts'
export { formatScenario, runScenario } from './run-scenario.ts'
export type { ScenarioResult } from './run-scenario.ts'
export type { TraceEntry } from './perform.ts'
export type { Verdict } from './judge.ts'
export { parseScenario } from './scenario.ts'
export type { Scenario, ScenarioInput } from './scenario.ts'
export { loopbackServer, refusedUrl, socketServer } from './loopback-server.ts'
export type {
  LoopbackFault,
  LoopbackModel,
  LoopbackOptions,
  LoopbackReply,
  LoopbackRequest,
  LoopbackServer,
  LoopbackServes,
} from './loopback-server.ts'
export { writeTinyGguf } from './tiny-gguf.ts'
export type { TinyGgufOptions } from './tiny-gguf.ts'
