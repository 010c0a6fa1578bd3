import { describe, expect, it } from 'vitest'
import type { LoopbackFault, LoopbackReply } from '../../src/testing/loopback-server.ts'
import { findSecret, plantedKey } from './secrets.ts'
import { stage } from './support.ts'

type StreamFault = Extract<LoopbackFault, { afterDeltas?: number }>

/** Faults that break a stream off after some deltas: the next model before the commit point, the policy after it. */
const broken: [row: number, fact: string, fault: StreamFault, code: string][] = [
  [20, 'a chunked end without its end record', { kind: 'no-end' }, 'protocol'],
  [21, 'a connection closed without the end record', { kind: 'close-body' }, 'connection'],
  [22, 'a truncated gzip body', { kind: 'truncated-gzip' }, 'protocol'],
  [23, 'a corrupt gzip body', { kind: 'corrupt-gzip' }, 'protocol'],
  [24, 'an error record after 200', { kind: 'error-record', message: `out of memory, ${plantedKey}` }, 'http'],
  [26, 'a reset in mid-body', { kind: 'cut' }, 'connection'],
  [27, 'a bad chunk size', { kind: 'bad-chunk' }, 'protocol'],
  [28, 'a line that is not JSON', { kind: 'bad-line' }, 'protocol'],
  [31, 'a line over 1 MiB', { kind: 'long-line' }, 'protocol'],
]

// The first sentence is over when the second begins; nothing else is whole when the stream breaks.
const deltas = ['It is', ' noon. And', ' what else', ' was there']

describe('a stream that breaks', () => {
  for (const [row, fact, fault, code] of broken) {
    it(`row ${row}: ${fact} before the commit point lets the next model answer, unheard`, async () => {
      const failing: LoopbackReply = { deltas, fault: { ...fault, afterDeltas: 1 } }
      const { ask, asked, one, service, events, settles } = await stage({ replies: [failing, { text: 'Two speaks.' }] })
      expect(await ask()).toMatchObject({ ending: 'finished', heard: 'Two speaks.', model: 'm2' })
      expect(asked()).toEqual(['m1', 'm2'])
      expect(events.filter(({ type }) => type === 'RESPONSE_SEGMENT')).toHaveLength(1)
      one.reply(failing)
      const request = { model: 'm1', messages: [{ role: 'user' as const, content: 'what time is it' }] }
      expect(findSecret(await service.sendRequest(request).catch((error: unknown) => error))).toBe('nowhere')
      await settles()
    })

    it(`row ${row}: ${fact} after the commit point stops the reply; what was heard is kept`, async () => {
      const { ask, asked, one, conversation, history, settles } = await stage({
        replies: [{ deltas, hold: 2, fault: { ...fault, afterDeltas: 3 } }],
      })
      conversation.segments.subscribe(() => one.release(0))
      expect(await ask()).toMatchObject({ ending: 'failed', heard: 'It is noon.', error: { code } })
      expect(asked()).toEqual(['m1'])
      expect(history()).toEqual([
        ['user', 'what time is it'],
        ['assistant', 'It is noon.', 'cut'],
      ])
      await settles()
    })

    it(`row ${row}: ${fact} after the commit point, told to continue: the next model goes on, nothing is said twice`, async () => {
      const { ask, asked, one, conversation, settles } = await stage({
        options: { fallback: { afterCommit: 'continue', models: ['m2'] } },
        replies: [{ deltas, hold: 2, fault: { ...fault, afterDeltas: 3 } }, { text: 'And one minute past.' }],
      })
      conversation.segments.subscribe(({ index }) => {
        if (index === 0) one.release(0)
      })
      expect(await ask()).toMatchObject({ ending: 'finished', heard: 'It is noon. And one minute past.', model: 'm2' })
      expect(asked()).toEqual(['m1', 'm2'])
      const sent = one.requests[1]?.body['messages']
      expect(sent).toMatchObject([
        { role: 'system' },
        { role: 'user' },
        { role: 'assistant', content: 'It is noon.' },
        {},
      ])
      await settles()
    })
  }
})

describe('a stream that is odd', () => {
  it('row 25: 200 with HTML fails at once and names the content type', async () => {
    const { ask, asked, settles } = await stage({ replies: [{ fault: { kind: 'html' } }] })
    const outcome = await ask()
    expect(outcome).toMatchObject({ ending: 'failed', error: { code: 'protocol' } })
    expect(outcome.error?.message).toContain('text/html')
    expect(asked()).toEqual(['m1'])
    await settles()
  })

  it('row 29: UTF-8 and JSON split anywhere are unseen', async () => {
    const text = 'Ça coûte 3 €, d’accord? 時刻は正午です。 👩‍👩‍👧 ok.'
    const heard: unknown[] = []
    for (const sliceBytes of [1, 2, 3, 5, 7, 64, 4_096]) {
      const { ask, conversation, settles } = await stage({ replies: [{ text, sliceBytes }] })
      const deltas: string[] = []
      conversation.deltas.subscribe((delta) => deltas.push(delta.text))
      expect(await ask()).toMatchObject({ ending: 'finished', text })
      heard.push(deltas)
      await settles()
    }
    expect(heard.every((one) => JSON.stringify(one) === JSON.stringify(heard[0]))).toBe(true)
  })

  it.each(['ollama', 'ollama-generate-only', 'openai'] as const)(
    'row 30: CRLF, comments and blank lines are ignored, as %s sends them',
    async (serves) => {
      const { ask, settles } = await stage({
        first: { serves },
        replies: [{ text: 'It is noon. Enjoy.', untidy: true }],
      })
      expect(await ask()).toMatchObject({ ending: 'finished', heard: 'It is noon. Enjoy.', model: 'm1' })
      await settles()
    },
  )

  it('row 31: a line without end is given up while it is short: memory stays bounded', async () => {
    const { ask, one, settles } = await stage({
      options: { limits: { lineBytes: 4_096 } },
      replies: [{ fault: { kind: 'long-line', bytes: 67_108_864 } }, { text: 'Two speaks.' }],
    })
    const before = process.memoryUsage().arrayBuffers
    expect(await ask()).toMatchObject({ ending: 'finished', model: 'm2' })
    await one.closed(0)
    // the server's own 64 MiB are the one buffer of that size that there may be
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * 67_108_864)
    await settles()
  })

  it('row 35: data after the end record is ignored, and the socket is released', async () => {
    const { ask, one, settles } = await stage({ replies: [{ text: 'It is noon.', fault: { kind: 'after-end' } }] })
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'It is noon.', text: 'It is noon.' })
    await one.closed(0)
    await settles()
  })

  it.each(['ollama', 'openai'] as const)('row 36: two end records are one end, from %s', async (serves) => {
    const { ask, of, settles } = await stage({
      first: { serves },
      replies: [{ text: 'It is noon.', fault: { kind: 'two-ends' } }],
    })
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'It is noon.' })
    expect(of('RESPONSE_GENERATED')).toHaveLength(1)
    expect(of('RESPONSE_FINISHED')).toHaveLength(1)
    await settles()
  })
})
