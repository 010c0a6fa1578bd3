import type { Backend, BackendEnd, BackendRecord } from '../../src/index.ts'

export interface HandBackend extends Backend {
  /** Resolves with the next request. */
  asked(): Promise<void>
  write(text: string): void
  end(): void
}

/** A backend that a test plays by hand: words come when they are written. One request at a time. */
export function handBackend(): HandBackend {
  const model = { name: 'small-model', loaded: true, chat: true }
  let request: { on: (record: BackendRecord) => void; resolve: (end: BackendEnd) => void } | null = null
  const waiting: (() => void)[] = []
  return {
    name: 'scripted',
    origin: 'scripted://by-hand',
    canAbortPrompt: true,
    models: async () => [model],
    describe: async () => model,
    stream: (_, on, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        request = { on, resolve }
        on({ type: 'connected' })
        for (const go of waiting.splice(0)) go()
      }),
    asked: () => new Promise((resolve) => waiting.push(resolve)),
    write: (text) => request?.on({ type: 'delta', kind: 'text', text }),
    end: () => request?.resolve({ model: model.name, finishReason: 'stop', usage: {} }),
  }
}
