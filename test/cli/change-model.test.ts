import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { changeModel } from '../../src/cli/change-model.ts'
import { openService } from '../../src/cli/open-service.ts'
import { LlmError, sqliteStore } from '../../src/index.ts'
import { parseConfig } from '../../src/config/parse-config.ts'
import { loopbackServer } from '../../src/testing/loopback-server.ts'
import { folder } from '../persistence/sqlite-support.ts'
import { fakeTerminal } from '../support/fake-terminal.ts'

const lost = new LlmError('config', { message: 'The host name was not found: check baseUrl.' })

/** The name of the server is found when a service for m2 is opened, and not any more after that. */
vi.mock(import('../../src/cli/open-store.ts'), async (original) => {
  const module = await original()
  return {
    ...module,
    async initializedService(options, ...rest) {
      const opened = await module.initializedService(options, ...rest)
      if (options.defaultModel === 'm2') opened.service.initialize = () => Promise.reject(lost)
      return opened
    },
  }
})

test('where the server is lost while the model is changed, the service before is opened anew with its store', async () => {
  const server = await loopbackServer({ models: ['m1', 'm2'] })
  onTestFinished(() => server.close())
  const file = join(await folder(), 'kept.db')
  const keeping = {
    file,
    store: () => sqliteStore({ file }),
    reader: () => sqliteStore({ file, readOnly: true }),
  }
  const settings = parseConfig({ baseUrl: server.url, defaultModel: 'm1' })
  const opening = { settings, terminal: fakeTerminal(), signal: new AbortController().signal, keeping }
  const changed = await changeModel('m2', { opening, open: await openService(opening) })
  expect(changed).toMatchObject({ opening, trouble: lost })
  await changed.open.close()
})
