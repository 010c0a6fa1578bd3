import { describe, expect, it } from 'vitest'
import type { LoopbackFault } from '../../src/testing/loopback-server.ts'
import { plantedKey, findSecret } from './secrets.ts'
import { stage } from './support.ts'

type Expected = { model: string; asked: string[] } | { code: string; asked: string[]; says?: string }

const overload = 'the server is overloaded'

const rows: [row: number, fact: string, fault: LoopbackFault, expected: Expected][] = [
  [
    4,
    'a reset before the headers is tried again, then the origin is left',
    { kind: 'reset' },
    { model: 'm3', asked: ['m1', 'm1', 'm3'] },
  ],
  [
    5,
    'a close before the headers is tried again, then the origin is left',
    { kind: 'close' },
    { model: 'm3', asked: ['m1', 'm1', 'm3'] },
  ],
  [
    6,
    'what is not HTTP fails at once',
    { kind: 'not-http' },
    { code: 'protocol', asked: ['m1'], says: 'does not speak HTTP' },
  ],
  [
    7,
    'headers that are too large fail at once',
    { kind: 'huge-headers' },
    { code: 'protocol', asked: ['m1'], says: '16 KiB' },
  ],
  [
    10,
    'a redirect is not followed, and says where to',
    { kind: 'redirect', to: 'http://127.0.0.1:9/elsewhere' },
    { code: 'http', asked: ['m1'], says: 'http://127.0.0.1:9/elsewhere' },
  ],
  [
    12,
    'a model that cannot do it is left for the next',
    { kind: 'http', status: 400, body: { error: '"m1" does not support tools' } },
    { model: 'm2', asked: ['m1', 'm2'] },
  ],
  [
    13,
    '401 leaves the origin',
    { kind: 'http', status: 401, body: { error: `wrong key ${plantedKey}` } },
    { model: 'm3', asked: ['m1', 'm3'] },
  ],
  [13, '403 leaves the origin', { kind: 'http', status: 403 }, { model: 'm3', asked: ['m1', 'm3'] }],
  [
    17,
    'a model that cannot be loaded is tried again, then the next',
    { kind: 'http', status: 500, body: { error: 'llama runner process has terminated' } },
    { model: 'm2', asked: ['m1', 'm1', 'm2'] },
  ],
  [
    17,
    'out of memory is tried again, then the next',
    { kind: 'http', status: 500, body: { error: `model requires more system memory, ${plantedKey}` } },
    { model: 'm2', asked: ['m1', 'm1', 'm2'] },
  ],
  [
    18,
    'a busy server is left',
    { kind: 'http', status: 503, body: { error: overload } },
    { model: 'm3', asked: ['m1', 'm3'] },
  ],
  [
    19,
    'the status decides over an error body that breaks off',
    { kind: 'unreadable-error', status: 503 },
    { model: 'm3', asked: ['m1', 'm3'] },
  ],
  [
    19,
    'the status decides over an error body that never comes',
    { kind: 'stalled-error', status: 500 },
    { model: 'm2', asked: ['m1', 'm1', 'm2'] },
  ],
  [
    19,
    'the status decides over a huge error body',
    { kind: 'huge-error', status: 503 },
    { model: 'm3', asked: ['m1', 'm3'] },
  ],
  [
    19,
    'the status decides over an HTML error body',
    { kind: 'html-error', status: 401 },
    { model: 'm3', asked: ['m1', 'm3'] },
  ],
]

describe('connection, HTTP', () => {
  for (const [row, fact, fault, expected] of rows) {
    it(`row ${row}: ${fact}`, async () => {
      const failing = { fault, text: 'never said' }
      const replies =
        'model' in expected && expected.model === 'm2'
          ? [...expected.asked.slice(1).map(() => failing), { text: 'Two speaks.' }]
          : [failing]
      const { ask, asked, one, service, settles } = await stage({ replies })
      const outcome = await ask()
      expect(asked()).toEqual(expected.asked)
      if ('model' in expected) {
        expect(outcome).toMatchObject({ ending: 'finished', heard: 'Two speaks.', model: expected.model })
      } else {
        expect(outcome).toMatchObject({ ending: 'failed', heard: '', error: { code: expected.code } })
        expect(outcome.error?.message).toContain(expected.says ?? '')
      }
      one.reply(failing)
      const request = { model: 'm1', messages: [{ role: 'user' as const, content: 'what time is it' }] }
      expect(findSecret(await service.sendRequest(request).catch((error: unknown) => error))).toBe('nowhere')
      await settles()
    })
  }
})
