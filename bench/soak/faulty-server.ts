import { seededRandom } from '../../src/testing/seeded-random.ts'
import { loopbackServer, type LoopbackFault, type LoopbackReply } from '../../src/testing/loopback-server.ts'

/*
 * The servers of a soak, in a process of their own so that what they remember is not in the heap that is measured.
 * Every fault of the table that a server can have comes at random; two requests of three are answered well.
 */

const texts = [
  'It is noon.',
  'It is a quarter past three. You asked that before, and I said so then. Anything else?',
  'No.',
  'The train leaves at 10.45 from platform 2. There is another one at 11.15, which is slower. Shall I book it?',
]

const faults: readonly LoopbackFault[] = [
  { kind: 'reset' },
  { kind: 'close' },
  { kind: 'not-http' },
  { kind: 'huge-headers' },
  { kind: 'silent' },
  { kind: 'redirect', to: 'http://127.0.0.1:9/' },
  { kind: 'context-overflow' },
  { kind: 'model-missing' },
  { kind: 'path-missing' },
  { kind: 'http', status: 400, body: { error: 'does not support chat' } },
  { kind: 'http', status: 401 },
  { kind: 'http', status: 429, headers: { 'retry-after': '0.1' } },
  { kind: 'http', status: 500 },
  { kind: 'http', status: 503 },
  { kind: 'unreadable-error', status: 500 },
  { kind: 'stalled-error', status: 503 },
  { kind: 'huge-error', status: 500 },
  { kind: 'html-error', status: 502 },
  { kind: 'html' },
  { kind: 'cut', afterDeltas: 2 },
  { kind: 'cut', afterDeltas: 6 },
  { kind: 'close-body', afterDeltas: 6 },
  { kind: 'no-end', afterDeltas: 6 },
  { kind: 'stall', afterDeltas: 1 },
  { kind: 'stall', afterDeltas: 8 },
  { kind: 'error-record', afterDeltas: 3 },
  { kind: 'bad-line', afterDeltas: 3 },
  { kind: 'bad-chunk', afterDeltas: 3 },
  { kind: 'long-line', afterDeltas: 2 },
  { kind: 'keep-alive', afterDeltas: 2, everyMs: 20 },
  { kind: 'endless' },
  { kind: 'truncated-gzip', afterDeltas: 4 },
  { kind: 'corrupt-gzip', afterDeltas: 4 },
  { kind: 'after-end' },
  { kind: 'two-ends' },
]

/** What a model wants to have called, rightly and wrongly. */
const calls: readonly { name: string; written?: string }[] = [
  { name: 'quick' },
  { name: 'quick' },
  { name: 'slow' },
  { name: 'endless' },
  { name: 'broken' },
  { name: 'nobody' },
  { name: 'quick', written: '{"city": "Os' },
  { name: 'slow', written: '{"town":"Oslo"}' },
]
const toolNames = { quick: true, slow: true, endless: true, broken: true }

/** As servers send them: an object where it is one, else what the model wrote. */
function argumentsOf(written: string): unknown {
  try {
    return JSON.parse(written)
  } catch {
    return written
  }
}

const seed = Number(process.argv[2] ?? 1)
const random = seededRandom(seed)
const injected = new Map<string, number>()

function note(what: string): void {
  injected.set(what, (injected.get(what) ?? 0) + 1)
}

function reply(): LoopbackReply {
  const text = texts[Math.floor(random() * texts.length)] ?? ''
  const dice = random()
  if (dice < 0.33) {
    const drawn = faults[Math.floor(random() * faults.length)] ?? { kind: 'reset' }
    // A model said to be missing is not asked again for a while: that often, nobody would be asked any more.
    const fault: LoopbackFault = drawn.kind === 'model-missing' && random() > 0.02 ? { kind: 'reset' } : drawn
    note(fault.kind === 'http' ? `http ${fault.status}` : fault.kind)
    return { text, fault }
  }
  if (dice < 0.35) {
    note('empty')
    return { text: '' }
  }
  if (dice < 0.36) {
    note('thinking only')
    return { text: '', thinking: ['so', ' so'] }
  }
  if (dice < 0.37) {
    note('length')
    return { text, finishReason: 'length' }
  }
  if (dice < 0.45) {
    const { name, written = '{"city":"Oslo"}' } = calls[Math.floor(random() * calls.length)] ?? { name: 'quick' }
    const isFine = written.startsWith('{"city"') && name in toolNames
    note(isFine ? 'none' : 'a call that cannot be made')
    return { text: random() < 0.5 ? 'Let me look.' : '', toolCalls: [{ name, arguments: argumentsOf(written) }] }
  }
  note('none')
  return { text, untidy: random() < 0.2, sliceBytes: random() < 0.2 ? 7 : 4_096 }
}

const one = await loopbackServer({ models: ['m1', 'm2'], replies: reply })
const two = await loopbackServer({ models: ['m3'], replies: reply, serves: 'openai' })
const open = () => one.openSockets + two.openSockets

process.on('message', (question) => {
  if (question === 'open') process.send?.({ open: open() })
  else if (question === 'count') {
    process.send?.({ requests: one.requests.length + two.requests.length, injected: Object.fromEntries(injected) })
  } else process.exit(0)
})
process.on('disconnect', () => process.exit(0))
process.send?.({ urls: [one.url, two.url] })
