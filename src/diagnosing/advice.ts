import type { LlmError } from '../backends/contract.ts'

const byFault: Readonly<Record<string, string>> = {
  address: 'Correct baseUrl.',
  refused: 'Start the server ("ollama serve" for Ollama), or set baseUrl to where it listens.',
  unreachable: 'Check the address, the network and the firewall between here and there.',
  'connect-timeout':
    'Check that the server is not stopped or overloaded, and that no firewall swallows the connection.',
  'name-not-found': 'Check the spelling of the host in baseUrl, and that DNS knows it.',
  tls: 'Use http:// in baseUrl if the server has no TLS; name a private authority in NODE_EXTRA_CA_CERTS.',
  'reset-before-headers': 'Look at the log of the server or of the proxy before it: it drops connections.',
  'closed-before-headers': 'Look at the log of the server or of the proxy before it: it drops connections.',
  'not-http': 'Another service listens there: correct the port in baseUrl.',
  'headers-too-large': 'This does not look like a model server: correct baseUrl.',
  redirect: 'Set baseUrl to the address it redirects to; redirects are never followed.',
  unauthorized: 'Set apiKey (COLLOQUY_API_KEY) to a key that the server accepts.',
  'path-missing': 'Set baseUrl to the root of the API, or apiType to what the server speaks.',
  unrecognized: 'Set baseUrl to the root of the API, or apiType to what the server speaks.',
  'content-type': 'A web page answered: set baseUrl to the API behind it.',
  model: 'Pull or load the model on the server, or set defaultModel to one that it has.',
  capability: 'Choose a model that can chat (and call tools, where tools are used).',
  context: 'Lower context.contextTokens to the window of the model, or serve the model with a larger one.',
  'rate-limited': 'Wait, or ask for a higher limit where the key was issued.',
  busy: 'Wait until it has finished other work, or give it more capacity (OLLAMA_MAX_QUEUE, OLLAMA_NUM_PARALLEL).',
  'no-end': 'The model stopped in mid-reply: look at the log of the server, often it ran out of memory.',
  cut: 'The connection broke in mid-reply: look at the log of the server and at any proxy before it.',
  'error-record': 'Look at the log of the server; a smaller model needs less memory.',
  'bad-record': 'A proxy may rewrite the replies: try the server directly, or set apiType.',
  'bad-chunk': 'A proxy may rewrite the replies: try the server directly.',
  'bad-encoding': 'A proxy may compress the replies wrongly: switch compression off for them.',
  'line-too-long': 'Check that this is a model server; if so, raise limits.lineBytes.',
  'first-token': 'Use a smaller model, keep it loaded (generation.keepAlive), or raise timeouts.loadingMs.',
}

/** What to do about a fault, as a sentence. */
export function adviceFor({ fault, code, status }: LlmError): string {
  const known = fault === undefined ? undefined : byFault[fault]
  if (known !== undefined) return known
  if (code === 'http' && (status ?? 0) >= 500) {
    return 'Look at the log of the server: the model may not fit into memory. A smaller one may.'
  }
  return code === 'http'
    ? 'Look at the log of the server: it refused the request.'
    : 'Try again; if it stays, report it.'
}
