import { z } from 'zod'
import type { Failure } from '../../machines/vocabulary.ts'
import type { DetectedDialect, ProbeVerdict } from '../../machines/detection.ts'
import { rootPath } from './address.ts'
import { LlmError } from './contract.ts'
import { createTransport } from './http.ts'
import { nothingSpoken } from './redaction.ts'
import type { ServerOptions } from './server-options.ts'
import { failureOfStatus, parseJson } from './status-faults.ts'

/** What a GET brought back. */
interface Look {
  status: number
  json: unknown
  contentType: string
  refusal(): LlmError
}

export interface ProbeRun {
  probe(dialect: DetectedDialect, signal: AbortSignal): Promise<ProbeVerdict>
  /** The error behind the last `unauthorized` or `unreachable`, with its cause, fault and origin. */
  lastError(): LlmError | undefined
}

const lookBytes = 1_048_576
const versionShape = z.looseObject({ version: z.string(), error: z.undefined().optional() })
const tagsShape = z.looseObject({
  models: z.array(z.looseObject({ name: z.string() })).nullable(),
  // some llama.cpp builds list their models here too, in OpenAI's form
  object: z.undefined().optional(),
  data: z.undefined().optional(),
})
const modelsShape = z.looseObject({ data: z.array(z.looseObject({ id: z.string() })).nullable() })

/**
 * One round of harmless looks at a server. Only GET is used: nothing is loaded, nothing changes. No path is asked for
 * twice in a round, and shapes decide rather than statuses, because LM Studio answers 200 for everything.
 */
export function createProbeRun(options: ServerOptions): ProbeRun {
  const { baseUrl, apiKey } = options
  const transport = createTransport({ baseUrl, backend: 'detection', ...(apiKey === undefined ? {} : { apiKey }) })
  const { origin, basePath } = transport.address
  const root = rootPath(basePath)
  const looks = new Map<string, Promise<Look>>()
  let lastError: LlmError | undefined

  const look = (path: string, signal: AbortSignal): Promise<Look> => {
    const started = looks.get(path) ?? fetchLook(path, signal)
    looks.set(path, started)
    return started
  }
  const fetchLook = async (path: string, signal: AbortSignal): Promise<Look> => {
    const reply = await transport.open({ method: 'GET', path: `${root}${path}`, accept: 'application/json', signal })
    const pieces: Uint8Array[] = []
    let length = 0
    await reply.read((bytes) => {
      pieces.push(bytes)
      length += bytes.length
      return length > lookBytes
    })
    const body = new TextDecoder().decode(Buffer.concat(pieces))
    const { status, header, contentType } = reply
    const privacy = { secrets: transport.secrets, spoken: nothingSpoken }
    const refusal = () => failureOfStatus({ status, header, body, origin, backend: 'detection', privacy })
    const seen: Look = { status, json: parseJson(body), contentType, refusal }
    if (status === 401 || status === 403 || status >= 500) throw refusal()
    return seen
  }

  const probes: Record<DetectedDialect, (signal: AbortSignal) => Promise<ProbeVerdict>> = {
    'ollama-chat': (signal) => ollama('/api/chat', signal),
    'ollama-generate': (signal) => ollama('/api/generate', signal),
    async openai(signal) {
      const seen = await look('/v1/models', signal)
      if (ok(seen) && modelsShape.safeParse(seen.json).success) return { verdict: 'spoken' }
      return foreign('/v1/models', seen)
    },
  }
  const ollama = async (route: '/api/chat' | '/api/generate', signal: AbortSignal): Promise<ProbeVerdict> => {
    const version = await look('/api/version', signal)
    const tags = await look('/api/tags', signal)
    if (!ok(tags) || !tagsShape.safeParse(tags.json).success) return foreign('/api/tags', tags)
    const told = ok(version) ? versionShape.safeParse(version.json) : undefined
    const { status } = await look(route, signal)
    // a GET where only POST is served is 405; a server that names its version may also answer 404 to a wrong method
    const other = route === '/api/chat' ? '/api/generate' : '/api/chat'
    const there = status === 405 || status === 400
    const noneShown = status === 404 && (await look(other, signal)).status === 404
    if (told?.success === true) {
      const spoken = status !== 404 || noneShown
      return spoken ? { verdict: 'spoken', version: told.data.version } : { verdict: 'foreign' }
    }
    return there ? { verdict: 'spoken' } : foreign('/api/version', version)
  }

  const foreign = (path: string, { status, contentType, refusal }: Look): ProbeVerdict => {
    const how = status >= 300 && status < 400 ? refusal().message : `${status} ${contentType}`.trim()
    return { verdict: 'foreign', note: `GET ${path}: ${how}` }
  }

  return {
    lastError: () => lastError,
    async probe(dialect, signal) {
      try {
        return await probes[dialect](signal)
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof LlmError)) throw error
        lastError = error
        const verdict = error.code === 'auth' ? 'unauthorized' : 'unreachable'
        return { verdict, failure: plainFailure(error) }
      }
    },
  }
}

const ok = ({ status }: Look) => status >= 200 && status < 300

/** An error as plain data, for charts and reports. */
export function plainFailure(error: LlmError): Failure {
  const { code, message, retryable, status, retryAfterMs } = error
  return {
    code,
    message,
    retryable,
    ...(status === undefined ? {} : { status }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
}
