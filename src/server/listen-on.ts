import type { Server } from 'node:http'
import { LlmError } from '../index.ts'

/** So many ports are tried, from the one that was asked for. */
const tries = 20

/** Listens on the port, or on the next free one. Resolves with the port; rejects with `config`. */
export async function listenOn(server: Server, host: string, port: number): Promise<number> {
  for (let candidate = port; candidate < Math.min(port + tries, 65_536); candidate += 1) {
    const code = await attempt(server, host, candidate)
    if (code === undefined) {
      const address = server.address()
      return typeof address === 'object' && address !== null ? address.port : candidate
    }
    if (code !== 'EADDRINUSE') throw unusable(code, host, candidate)
  }
  throw new LlmError('config', {
    message: `ports ${port} to ${Math.min(port + tries, 65_536) - 1} are all taken; choose another with --port`,
  })
}

/** undefined: it listens. Otherwise why not. */
function attempt(server: Server, host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => {
      server.off('listening', listening)
      resolve(error.code ?? error.message)
    }
    const listening = () => {
      server.off('error', failed)
      resolve(undefined)
    }
    server.once('error', failed)
    server.once('listening', listening)
    server.listen({ host, port, exclusive: true })
  })
}

function unusable(code: string, host: string, port: number): LlmError {
  if (code === 'EACCES')
    return new LlmError('config', { message: `port ${port} is not allowed here; choose one from 1024 up with --port` })
  const isUnknown = code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EINVAL'
  return new LlmError('config', {
    message: isUnknown
      ? `this machine has no address ${host}; use 127.0.0.1, or 0.0.0.0 with --token for all addresses`
      : `cannot listen on ${host}:${port} (${code}); choose another with --host or --port`,
  })
}
