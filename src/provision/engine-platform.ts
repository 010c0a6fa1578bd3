import { z } from 'zod'
import { LlmError } from '../backends/contract.ts'

export interface Machine {
  platform: string
  arch: string
  musl: boolean
}

const Report = z.object({ header: z.object({ glibcVersionRuntime: z.string().optional() }) })

export function thisMachine(): Machine {
  const { platform, arch } = process
  if (platform !== 'linux') return { platform, arch, musl: false }
  const report = Report.safeParse(process.report.getReport())
  return { platform, arch, musl: report.success && report.data.header.glibcVersionRuntime === undefined }
}

const builds = new Map([
  ['linux-x64', 'linux-x64'],
  ['linux-arm64', 'linux-arm64'],
  ['darwin-arm64', 'mac-arm64-metal'],
  ['darwin-x64', 'mac-x64'],
  ['win32-x64', 'win-x64'],
  ['win32-arm64', 'win-arm64'],
])

/** The name of the engine's build for a machine. Throws `config` where there is none. */
export function enginePlatform(machine: Machine = thisMachine()): string {
  const build = builds.get(`${machine.platform}-${machine.arch}`)
  const otherwise = 'use a server instead (Ollama, llama.cpp) and set COLLOQUY_BASE_URL.'
  if (build === undefined) {
    const message = `There is no embedded engine for ${machine.platform} on ${machine.arch}; ${otherwise}`
    throw new LlmError('config', { message, backend: 'embedded', fault: 'platform' })
  }
  if (machine.musl) {
    const message = `The embedded engine needs glibc and this system has musl; ${otherwise}`
    throw new LlmError('config', { message, backend: 'embedded', fault: 'musl' })
  }
  return build
}
