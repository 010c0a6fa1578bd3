import { LlmError } from '../backends/contract.ts'
import { createEmbeddedBackend, type EmbeddedBackend } from '../backends/embedded/embedded.ts'
import type { Settings } from '../config/config.ts'
import { resolveModel } from '../provision/list-models.ts'
import { defaultModelName } from '../provision/model-catalogue.ts'
import { engineFolder, engineInstalled } from '../provision/engine-folder.ts'
import type { BackendConnection } from './backend-connection.ts'

export interface EmbeddedConnection extends BackendConnection {
  close(): Promise<void>
}

/**
 * The engine in the process (`apiType: 'embedded'`), with what `colloquy model pull` has put into the cache folder.
 * A program never fetches: where something is missing it is told which command brings it.
 */
export function createEmbeddedConnection(settings: Settings): EmbeddedConnection {
  const { defaultModel, context } = settings
  const wanted = defaultModel ?? defaultModelName
  let opened: Promise<EmbeddedBackend> | undefined

  async function open(): Promise<EmbeddedBackend> {
    const model = await resolveModel(wanted)
    if (model === undefined || !(await engineInstalled())) {
      const message = `The embedded engine has no ${wanted} yet: run npx colloquy model pull ${wanted}.`
      throw new LlmError('model-missing', { message, backend: 'embedded', origin: 'embedded' })
    }
    return createEmbeddedBackend({
      engineDir: await engineFolder(),
      modelPath: model.path,
      ...(model.sha256 === undefined ? {} : { sha256: model.sha256 }),
      // The name that the configuration uses, which may be short for the catalogue's.
      modelName: defaultModel ?? model.name,
      ...(context.contextTokens === undefined ? {} : { contextTokens: context.contextTokens }),
    })
  }

  /** One that failed is tried anew: the model may have been pulled meanwhile. */
  function connect(): Promise<EmbeddedBackend> {
    opened ??= open().catch((error: unknown) => {
      opened = undefined
      throw error
    })
    return opened
  }

  const look = () =>
    connect().then(
      () => ({ reachable: true, backend: 'embedded' as const, origin: 'embedded' }),
      () => ({ reachable: false, origin: 'embedded' }),
    )

  return {
    connect,
    forget() {},
    info: look,
    check: look,
    async close() {
      await (await opened?.catch(() => undefined))?.close()
    },
  }
}
