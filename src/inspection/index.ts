/** `colloquy/inspector`: see conversations while they happen; nothing leaves the machine. */
export { startInspector, type Inspector, type InspectorOptions } from './inspector.ts'
export { chartOf } from './chart-of.ts'
export { withoutWords, type Sanitize, type Showing } from './to-shown.ts'
export type { RecorderLimits } from './recorder.ts'
export type { ActorStatus, ChartState, ChartTransition, InspectorMessage, ShownActor, ShownEntry } from './protocol.ts'
