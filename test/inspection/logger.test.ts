import { Writable } from 'node:stream'
import pino from 'pino'
import { Subject } from 'rxjs'
import { describe, expect, it } from 'vitest'
import type { SpeechEvent } from '../../src/index.ts'
import { talkingService } from './two-conversations.ts'

const key = 'sk-never-to-be-seen'

/** pino, writing into memory at its lowest level. */
function memoryLogger() {
  let text = ''
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString()
      done()
    },
  })
  const lines = () =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line): unknown => JSON.parse(line))
  return { logger: pino({ level: 'trace' }, stream), lines, text: () => text }
}

describe('a logger', () => {
  it('pino fits as it is, and gets facts with a message', async () => {
    const { logger, lines } = memoryLogger()
    const { clock, conversation, service } = talkingService({
      logger,
      script: { replies: [{ fault: { kind: 'http', status: 401 } }] },
    })
    void conversation('kitchen').ask('switch on the light')
    await clock.runUntilIdle()
    expect(lines()).toContainEqual(
      expect.objectContaining({ level: 40, conversationId: 'kitchen', code: 'auth', msg: expect.any(String) }),
    )
    await service.close()
  })

  it('no transcript and no key is written, whatever goes wrong', async () => {
    const { logger, text } = memoryLogger()
    const { clock, conversation, service } = talkingService({
      logger,
      apiKey: key,
      limits: { utteranceChars: 40 },
      script: {
        replies: [
          { text: 'Secret answer one. And more of it.', fault: { kind: 'cut', afterTokens: 4 } },
          { text: 'Secret answer two.', fault: { kind: 'error-record', afterTokens: 0 } },
          { text: 'Secret answer three.', fault: { kind: 'http', status: 500 } },
        ],
      },
      ambient: {
        policy() {
          throw new Error('the policy broke')
        },
      },
      inspect() {
        throw new Error('the inspector broke')
      },
    })
    const kitchen = conversation('kitchen')
    for (const words of ['tell me my secret', 'tell me my secret again', 'my secret once more']) {
      void kitchen.ask(words)
      await clock.runUntilIdle()
    }
    await kitchen.ask('a secret that is far too long to be accepted').catch(() => {})
    const overheard = new Subject<SpeechEvent>()
    kitchen.listenTo(overheard)
    overheard.next({ type: 'AMBIENT_SPEECH_DETECTED', text: 'a secret overheard' })
    overheard.error(new Error('the microphone broke'))
    await clock.runUntilIdle()
    await service.close()
    expect(text()).toContain('the inspector failed')
    expect(text()).toContain('the ambient policy failed')
    expect(text()).toContain('microphone')
    expect(text().toLowerCase()).not.toContain('secret')
    expect(text()).not.toContain(key)
  })
})
