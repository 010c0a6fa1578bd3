import { createEmbeddedBackend } from '../backends/embedded/embedded.ts'
import type { Settings } from '../config/config.ts'
import { systemClock, type Backend } from '../index.ts'
import { cacheFolder } from '../provision/cache-folder.ts'
import { resolveModel } from '../provision/list-models.ts'
import { defaultModelName } from '../provision/model-catalogue.ts'
import { engineInstalled } from '../provision/engine-folder.ts'
import { provisionEngine } from '../provision/provision-engine.ts'
import type { InstalledModel } from '../provision/installed-model.ts'
import { pullModel } from '../provision/pull-model.ts'
import { showProgress } from './show-progress.ts'
import type { Terminal } from './terminal.ts'

export interface OpenEmbedded {
  backend: Backend
  modelName: string
}

/**
 * The embedded engine with the model that was asked for, both fetched first if they are not there. Rejects with an
 * LlmError that says what stood in the way, or with the signal's reason.
 */
export async function openEmbedded(settings: Settings, terminal: Terminal, signal: AbortSignal): Promise<OpenEmbedded> {
  const wanted = settings.defaultModel ?? defaultModelName
  // a wrong name or an unreadable file is told before anything is fetched
  await resolveModel(wanted, { cacheDir: cacheFolder(terminal.environment) })
  const { engineDir, model } = await provision(wanted, { terminal, signal })
  const { contextTokens } = settings.context
  const backend = await createEmbeddedBackend({
    engineDir,
    modelPath: model.path,
    ...(model.sha256 === undefined ? {} : { sha256: model.sha256 }),
    modelName: model.name,
    ...(contextTokens === undefined ? {} : { contextTokens }),
  })
  try {
    // ahead of the first turn, whose time-outs are those of a conversation
    await backend.load(signal)
  } catch (error) {
    await backend.close()
    throw error
  }
  return { backend, modelName: model.name }
}

interface Provisioning {
  terminal: Terminal
  signal: AbortSignal
  /** Fetches a model of the catalogue although it is there. Default: only where it is missing. */
  pull?: 'where-changed' | 'anew'
}

/** Fetches engine and model with progress on stderr; at once where they are there. */
export async function provision(
  wanted: string,
  { terminal, signal, pull }: Provisioning,
): Promise<{ engineDir: string; model: InstalledModel }> {
  const cacheDir = cacheFolder(terminal.environment)
  const { onProgress, end } = showProgress(terminal.errors)
  try {
    const options = { clock: systemClock, cacheDir, onProgress, signal, environment: terminal.environment }
    const engineDir = await provisionEngine(options)
    const there = pull === undefined ? await resolveModel(wanted, { cacheDir }) : undefined
    const model = there ?? (await pullModel(wanted, { ...options, force: pull === 'anew' }))
    return { engineDir, model }
  } finally {
    end()
  }
}

/** True when a conversation could begin without fetching anything. */
export async function isProvisioned(settings: Settings, terminal: Terminal): Promise<boolean> {
  const cacheDir = cacheFolder(terminal.environment)
  const model = await resolveModel(settings.defaultModel ?? defaultModelName, { cacheDir })
  return model !== undefined && (await engineInstalled(cacheDir))
}
