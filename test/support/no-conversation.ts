import { Config } from '../../src/config/config.ts'
import { createToolbox, type ReplyConversation } from '../../src/generation/index.ts'

/** A conversation of which nothing matters but what a test puts over it. */
export const noConversation: ReplyConversation = {
  id: 'c1',
  begin() {},
  characterOf: () => ({ settings: Config.parse({}), toolbox: createToolbox(), facts: undefined }),
  show() {},
  messages: () => [],
  onDelta() {},
  onMark() {},
  unspokenMs: () => 0,
}
