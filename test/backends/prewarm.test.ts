import { expect, it } from 'vitest'
import { openBackend } from '../../src/backends/open-backend.ts'
import { loopbackServer } from '../../src/testing/loopback-server.ts'

it('Ollama reads a prompt ahead with room for one token', async () => {
  const server = await loopbackServer()
  const backend = openBackend('ollama-chat', { baseUrl: server.url })
  await backend.prewarm?.(
    { model: 'm1', messages: [{ role: 'user', content: 'hello' }], maxTokens: 512 },
    new AbortController().signal,
  )
  expect(server.requests[0]?.body).toMatchObject({ options: { num_predict: 1 } })
  await server.close()
})

it('a prompt that is read ahead is left when it is no longer wanted', async () => {
  const server = await loopbackServer({ replies: [{ text: 'x', hold: 'headers' }] })
  const backend = openBackend('ollama-chat', { baseUrl: server.url })
  const wanted = new AbortController()
  const reading = backend.prewarm?.({ model: 'm1', messages: [{ role: 'user', content: 'hello' }] }, wanted.signal)
  await server.requested(0)
  wanted.abort()
  await expect(reading).rejects.toThrow()
  await server.closed(0)
  await server.close()
})
