import { Observable } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { describe, expect, it } from 'vitest'
import { toSentences } from '../../src/speaking/to-sentences.ts'

const marbles = (run: Parameters<TestScheduler['run']>[0]) =>
  new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(run)

describe('toSentences', () => {
  it('emits a sentence when the next one has begun, the last one at the end', () =>
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const deltas = cold('--a---b---c--|', { a: 'Hi. ', b: 'How ', c: 'are you?' })
      expectObservable(deltas.pipe(toSentences())).toBe('------x------(y|)', { x: 'Hi.', y: 'How are you?' })
      expectSubscriptions(deltas.subscriptions).toBe('^------------!')
    }))

  it('passes an error through at once: half a sentence is not spoken', () =>
    marbles(({ cold, expectObservable }) => {
      expectObservable(cold('--a-#', { a: 'Hi. ' }).pipe(toSentences())).toBe('----#')
    }))

  it('is empty for an empty reply, silent for a silent one', () =>
    marbles(({ cold, expectObservable }) => {
      expectObservable(cold('--|').pipe(toSentences())).toBe('--|')
      expectObservable(cold('---').pipe(toSentences())).toBe('---')
    }))

  it('unsubscribes from the deltas when it is unsubscribed', () =>
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const deltas = cold('--a---b---', { a: 'Hi. ', b: 'How ' })
      expectObservable(deltas.pipe(toSentences()), '^---!').toBe('-----')
      expectSubscriptions(deltas.subscriptions).toBe('^---!')
    }))

  it('keeps nothing between two subscriptions', () => {
    const sentences = new Observable<string>((subscriber) => {
      subscriber.next('One. Two.')
      subscriber.complete()
    }).pipe(toSentences())
    const told: string[] = []
    sentences.subscribe((sentence) => told.push(sentence))
    sentences.subscribe((sentence) => told.push(sentence))
    expect(told).toEqual(['One.', 'Two.', 'One.', 'Two.'])
  })
})
