import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createLlmService } from '../../src/index.ts'
import { provisionEngine } from '../../src/provision/provision-engine.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { writeTinyGguf } from '../../src/testing/tiny-gguf.ts'

describe.skipIf(process.env['COLLOQUY_SKIP_ENGINE'] === '1')('apiType embedded', { timeout: 120_000 }, () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'colloquy-service-'))
    await writeTinyGguf(join(folder, 'tiny.gguf'), { says: 'alphabet' })
    await provisionEngine({ clock: systemClock })
  }, 300_000)
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('answers in the process: the first turn loads the model and says so, later ones count exactly', async () => {
    const service = createLlmService({
      apiType: 'embedded',
      defaultModel: join(folder, 'tiny.gguf'),
      context: { replyTokens: 16 },
      generation: { temperature: 0 },
      // How fast the machine is, is not asked here.
      timeouts: { firstTokenMs: 60_000, idleMs: 60_000, loadingMs: 100_000, totalMs: 110_000 },
    })
    const events: string[] = []
    service.events.subscribe(({ type }) => events.push(type))
    expect(await service.initialize()).toMatchObject({ reachable: true, backend: 'embedded' })
    const first = await service.conversation().ask('hello')
    expect(first).toMatchObject({ ending: 'finished', backend: 'embedded' })
    expect(first.timings.loadMs).toBeGreaterThan(0)
    expect(events).toContain('RESPONSE_DELAYED')
    const second = await service.conversation().ask('again')
    expect(second.ending).toBe('finished')
    expect(second.timings.loadMs).toBeUndefined()
    await service.close()
  })

  it('a model that was never pulled is told with the command that brings it', async () => {
    const service = createLlmService({ apiType: 'embedded', defaultModel: 'Llama-3.2-1B' })
    expect(await service.initialize()).toMatchObject({ reachable: false })
    const outcome = await service.conversation().ask('hello')
    expect(outcome.error).toMatchObject({ code: 'model-missing' })
    expect(outcome.error?.message).toContain('npx colloquy model pull Llama-3.2-1B')
    await service.close()
  })
})
