/** `colloquy/machines`: pure statecharts, to be drawn, provided, tested alone. */
export { conversationMachine, conversationInput } from './conversation.ts'
export type { ConversationContext, ConversationInput, PolicyChanges } from './conversation.ts'
export type { ConversationEmitted, ConversationEvent } from './conversation-events.ts'
export type { ConversationPolicy } from './conversation-policy.ts'
export type { ReplyLogic } from './reply-logic.ts'
export type * from './vocabulary.ts'
