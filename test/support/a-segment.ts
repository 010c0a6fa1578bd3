import type { Segment } from '../../machines/vocabulary.ts'

/** Any segment: a test puts over it what matters to it. */
export const aSegment: Segment = {
  conversationId: 'c1',
  replyId: 'r1',
  index: 0,
  text: 'Hi.',
  source: 'Hi.',
  gap: '',
  language: 'en',
}
