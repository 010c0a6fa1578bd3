import { z } from 'zod'
import { badCall, isBadCall } from './bad-call.ts'
import { LlmError, type LlmErrorFacts } from './contract.ts'
import { oneLine, quotable, withoutSecrets, type Privacy } from './redaction.ts'
import type { ErrorCode } from '../../machines/vocabulary.ts'

/** A response that is not a success. */
export interface Refusal {
  status: number
  header(name: string): string | undefined
  /** The beginning of the body; '' where it could not be read: the status decides alone then. */
  body: string
  origin: string
  backend: string
  model?: string
  privacy: Privacy
}

const detail = z.object({ message: z.string().optional(), code: z.unknown(), type: z.unknown() })
const errorBody = z.object({
  error: z.union([z.string(), detail]).optional(),
  message: z.string().optional(),
  detail: z.string().optional(),
  signin_url: z.string().optional(),
})

interface Said {
  text: string
  /** code and type of OpenAI's form. */
  kind: string
  signIn: boolean
}

/** What an error body says: Ollama's, OpenAI's and FastAPI's forms; plain text as it is; of HTML nothing. */
export function saidInBody(body: string): Said {
  const parsed = errorBody.safeParse(parseJson(body))
  if (!parsed.success) return { text: /^\s*</.test(body) ? '' : body, kind: '', signIn: false }
  const { error, message, detail: fastApi, signin_url } = parsed.data
  const inner = typeof error === 'string' ? { message: error, code: undefined, type: undefined } : error
  const kind = [inner?.code, inner?.type].filter((part) => typeof part === 'string').join(' ')
  return { text: inner?.message ?? message ?? fastApi ?? '', kind, signIn: signin_url !== undefined }
}

/** undefined for what is not JSON. */
export function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return value
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const tooLong =
  /context[ _]?(?:length|window|size)|exceeds? (?:the )?(?:available |maximum )?context|maximum context|too many tokens|prompt is too long|input (?:length|is too long)|n_ctx/i
const incapable = /does(?: not|n't) support|not supported|unsupported/i
const absent = /(?:no such|unknown|invalid) model|model_not_found/i
const absence = /not found|does not exist|doesn't exist|not exist|unknown|not loaded/i

/** Whether a server says that it has no such model. */
function saysAbsent(text: string): boolean {
  if (absent.test(text)) return true
  return text.split('\n').some((line) => {
    const model = line.search(/model\b/i)
    return model >= 0 && absence.test(line.slice(model))
  })
}

/** What an HTTP status means. The body only refines it. */
export function failureOfStatus(refusal: Refusal): LlmError {
  const { status, origin, backend, model, privacy, header } = refusal
  const said = saidInBody(refusal.body)
  const words = status >= 500 && privacy.spoken.calls ? '' : quotable(said.text, privacy)
  const because = words === '' ? '' : ` (${words})`
  const where = `${origin} answered ${status}${because}`
  const make = (code: ErrorCode, fault: string, message: string, facts: Partial<LlmErrorFacts> = {}) =>
    new LlmError(code, { message, fault, status, backend, ...facts })
  const asksFor = `${said.text} ${said.kind}`

  if (status >= 300 && status < 400) {
    return make('http', 'redirect', `${where} and redirects to ${target(refusal)}: set baseUrl to where the API is.`)
  }
  if (status === 401 || status === 403)
    return make('auth', 'unauthorized', keyMessage(refusal, said, where), { origin })
  if (status === 429 || status === 408) {
    const wait = retryAfterMs(header('retry-after'), header('date'))
    return make('overloaded', 'rate-limited', `${where}: it wants fewer requests.`, wait)
  }
  if (status === 503) {
    const wait = retryAfterMs(header('retry-after'), header('date'))
    return make('overloaded', 'busy', `${where}: it is busy, try again later.`, { origin, ...wait })
  }
  if (isBadCall(said.text, privacy.spoken)) return badCall(origin, { backend, status })
  if ([400, 413, 422, 500].includes(status) && tooLong.test(asksFor)) {
    return make(
      'context-overflow',
      'context',
      `The prompt is longer than the context window of the model at ${origin}.`,
    )
  }
  if ((status === 404 || status === 400) && (saysAbsent(asksFor) || (status === 404 && /\bmodel\b/i.test(asksFor)))) {
    const name = model === undefined ? 'The model' : `The model ${oneLine(withoutSecrets(model, privacy.secrets), 100)}`
    const pull = backend.startsWith('ollama') ? `run "ollama pull ${model ?? 'MODEL'}"` : 'load it there'
    return make('model-missing', 'model', `${name} is not on ${origin}: ${pull}, or choose another.`)
  }
  if (status === 404 || status === 405) {
    return make('http', 'path-missing', `${where}: this API is not there, check baseUrl and apiType.`)
  }
  if (status === 400 && incapable.test(asksFor)) {
    return make('http', 'capability', `${where}: the model cannot do what was asked, choose another model.`)
  }
  const next =
    status >= 500 ? 'look at the log of the server, or choose a smaller model.' : 'the server refused the request.'
  return make('http', 'status', `${where}: ${next}`)
}

function keyMessage({ header, status, privacy }: Refusal, said: Said, where: string): string {
  if (said.signIn) return `${where}: a cloud model needs "ollama signin" on the server.`
  const scheme = /^[\w-]+/.exec(header('www-authenticate') ?? '')?.[0]
  const asked = scheme === undefined ? '' : `; it asks for ${scheme}`
  if (privacy.secrets.length > 0) return `${where}${asked}: the apiKey setting is not accepted, check it.`
  const host = status === 403 && said.text === '' ? ' (an Ollama behind a proxy also refuses unknown Host headers)' : ''
  return `${where}${asked}: set the apiKey setting${host}.`
}

function target({ header, origin, privacy }: Refusal): string {
  const location = header('location')
  if (location === undefined || !URL.canParse(location, origin)) return 'nowhere'
  const url = new URL(location, origin)
  return oneLine(withoutSecrets(`${url.origin}${url.pathname}`, privacy.secrets))
}

/** Seconds, or a date read against the server's own clock. */
function retryAfterMs(value: string | undefined, date: string | undefined): { retryAfterMs?: number } {
  if (value === undefined) return {}
  if (/^\s*\d{1,9}(?:\.\d+)?\s*$/.test(value)) return { retryAfterMs: Math.round(Number(value) * 1_000) }
  const until = Date.parse(value)
  const from = Date.parse(date ?? '')
  return Number.isNaN(until) || Number.isNaN(from) ? {} : { retryAfterMs: Math.max(0, until - from) }
}
