import { foldHistory, type Remembered, type Turn } from '../index.ts'

/** What the next run begins with: a reply that was being spoken counts as far as it was heard. */
export function keptHistory({ history, unfinished }: Remembered): readonly Turn[] {
  if (unfinished === undefined) return history
  const { turnId, heard } = unfinished
  return foldHistory(history, { type: 'RESPONSE_INTERRUPTED', turnId, heard })
}
