import type { ActorLogic, AnyActorLogic, AnyActorRef, EmittedFrom, EventFromLogic, SnapshotFrom } from 'xstate'
import type { ReplyInput } from '../vocabulary.ts'

/**
 * Anything that can make a reply: the provided `replyMachine`, or `fromCallback<ReplyCommand, ReplyInput>` in a test.
 * It is started with a ReplyInput, understands ReplyCommands, and sends ReplyReports to its parent. Stopping it must
 * end its work at once.
 *
 * Snapshot, events and emitted are whatever the logic has: XState's types are invariant in them, so a chart with
 * events of its own would fit no narrower type.
 */
export type ReplyLogic = ActorLogic<
  SnapshotFrom<AnyActorLogic>,
  EventFromLogic<AnyActorLogic>,
  ReplyInput,
  AnyActorRef['system'],
  EmittedFrom<AnyActorLogic>
>
