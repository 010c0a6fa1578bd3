import { Observable, type OperatorFunction } from 'rxjs'
import { createSegmenter } from './segmenter.ts'

const wholeSentences = {
  charMs: { latin: 66, han: 220 },
  maxChars: 1_000,
  firstClauseChars: 10,
  clauseChars: 25,
  clauseBelowMs: 0,
  wordsBelowMs: 0,
  words: 8,
}

/**
 * Turns the deltas of a reply into whole sentences, each as soon as the next one has begun.
 *
 *     deltas     --"Hi. "---"How "---"are you?"--|
 *     sentences  -----------"Hi."----------------("How are you?"|)
 *
 * How a backend slices its text never changes the sentences. Errors pass through at once: half a sentence is not
 * spoken. Sentences are as the model wrote them, Markdown and all; what holds no words (an emoji, a rule) stays with
 * its neighbour. None is longer than 1 000 characters.
 */
export function toSentences(locale = 'en'): OperatorFunction<string, string> {
  return (deltas) =>
    new Observable((subscriber) => {
      const segmenter = createSegmenter({ language: locale, segments: wholeSentences })
      return deltas.subscribe({
        next: (delta) => {
          for (const { source } of segmenter.push(delta)) subscriber.next(source)
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => {
          for (const { source } of segmenter.end()) subscriber.next(source)
          subscriber.complete()
        },
      })
    })
}
