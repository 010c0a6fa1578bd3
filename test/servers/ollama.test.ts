import { describe, expect, it } from 'vitest'
import { createLlmService } from '../../src/index.ts'

/**
 * Against a server that really runs: COLLOQUY_TEST_URL=http://127.0.0.1:11434 npx vitest run test/servers
 * With COLLOQUY_TEST_MODEL a model of it, else its first chat model.
 */
const baseUrl = process.env['COLLOQUY_TEST_URL']
const defaultModel = process.env['COLLOQUY_TEST_MODEL']

describe.runIf(baseUrl)('a real server', () => {
  const open = () =>
    createLlmService({
      ...(baseUrl === undefined ? {} : { baseUrl }),
      ...(defaultModel === undefined ? {} : { defaultModel }),
    })

  it('is recognized, and a typed turn is answered', { timeout: 120_000 }, async () => {
    const service = open()
    expect(await service.initialize()).toMatchObject({ reachable: true })
    const outcome = await service.conversation().ask('Say hello in one word.')
    expect(outcome).toMatchObject({ ending: 'finished' })
    expect(outcome.text).not.toBe('')
    await service.close()
  })

  it('an interruption before the first token frees the next turn', { timeout: 120_000 }, async () => {
    const service = open()
    const conversation = service.conversation()
    const first = conversation.ask('Count to a thousand, slowly.')
    conversation.interrupt()
    expect(await first).toMatchObject({ ending: 'interrupted', heard: '' })
    expect(await conversation.ask('Say yes.')).toMatchObject({ ending: 'finished' })
    await service.close()
  })
})
