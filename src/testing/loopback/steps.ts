import { gzipSync } from 'node:zlib'
import type { Records } from './records.ts'
import type { LoopbackReply } from './replies.ts'

/** One thing a server does with a body. */
export type Step =
  | { do: 'send'; bytes: Uint8Array }
  /** Past the framing of HTTP, straight to the socket. */
  | { do: 'send-raw'; bytes: Uint8Array }
  | { do: 'hold' }
  /** The response's own end. */
  | { do: 'end' }
  /** A TCP reset; a close of the socket. */
  | { do: 'reset' }
  | { do: 'close' }
  /** Nothing, until the client leaves. */
  | { do: 'wait' }
  /** The same bytes for ever: at this pace, or as fast as the client takes them. */
  | { do: 'repeat'; bytes: Uint8Array; everyMs?: number }

const bytes = (text: string) => Buffer.from(text)
const send = (text: string): Step => ({ do: 'send', bytes: bytes(text) })

/** The body of a reply, step by step, with its fault where it has one. */
export function bodySteps(reply: LoopbackReply, records: Records): Step[] {
  const steps = reply.raw === undefined ? writtenSteps(reply, records) : [sendRaw(reply.raw), { do: 'end' } as const]
  const packed = isPacked(reply) ? pack(steps, reply, records.head.length) : steps
  return reply.sliceBytes === undefined ? packed : packed.flatMap((step) => slices(step, reply.sliceBytes ?? 1))
}

/** The body goes out compressed. */
export const isPacked = ({ gzip, fault }: LoopbackReply): boolean =>
  gzip === true || fault?.kind === 'truncated-gzip' || fault?.kind === 'corrupt-gzip'

const sendRaw = (raw: string | Uint8Array): Step => ({ do: 'send', bytes: typeof raw === 'string' ? bytes(raw) : raw })

function writtenSteps(reply: LoopbackReply, records: Records): Step[] {
  const { fault, hold } = reply
  if (fault?.kind === 'html') return [send('<!doctype html><title>Welcome</title>'), { do: 'end' }]
  if (reply.whole === true) return [send(records.whole), { do: 'end' }]
  const untidy = (record: string) =>
    reply.untidy === true ? `\r\n${comment(records)}${record.replaceAll('\n', '\r\n')}` : record
  const spoken: Step[] = []
  const afterDeltas = fault !== undefined && 'afterDeltas' in fault ? (fault.afterDeltas ?? 0) : 0
  for (const record of records.head) spoken.push(send(untidy(record)))
  const broken = fault === undefined ? undefined : faultSteps(fault, records)
  for (const [index, record] of records.deltas.entries()) {
    if (broken !== undefined && index === afterDeltas) break
    if (hold === index || hold === 'each') spoken.push({ do: 'hold' })
    spoken.push(send(untidy(record)))
  }
  if (broken !== undefined) return [...spoken, ...broken]
  if (typeof hold === 'number' && hold >= records.deltas.length) spoken.push({ do: 'hold' })
  const tail = records.tail.map((record) => send(untidy(record)))
  if (fault?.kind === 'two-ends') return [...spoken, ...tail, ...tail, { do: 'end' }]
  if (fault?.kind === 'after-end') return [...spoken, ...tail, send(records.afterEnd), { do: 'wait' }]
  return [...spoken, ...tail, { do: 'end' }]
}

const comment = ({ keepAlive }: Records) => (keepAlive.startsWith(':') ? ': a comment\r\n\r\n' : '\r\n')

/** What happens instead of the rest; undefined for faults that are not in the body's middle. */
function faultSteps(fault: NonNullable<LoopbackReply['fault']>, records: Records): Step[] | undefined {
  switch (fault.kind) {
    case 'cut':
      return [{ do: 'reset' }]
    case 'close-body':
      return [{ do: 'close' }]
    case 'no-end':
      return [{ do: 'end' }]
    case 'stall':
      return [{ do: 'wait' }]
    case 'error-record':
      return [send(records.errorRecord(fault.message ?? 'the runner has stopped')), { do: 'end' }]
    case 'bad-line':
      return [send(records.badLine), ...records.tail.map(send), { do: 'end' }]
    case 'bad-chunk':
      return [{ do: 'send-raw', bytes: bytes('zz\r\nno chunk\r\n') }, { do: 'wait' }]
    case 'long-line':
      return [send(`data: "${'x'.repeat(fault.bytes ?? 2_097_152)}`), { do: 'wait' }]
    case 'keep-alive':
      return [{ do: 'repeat', bytes: bytes(records.keepAlive), everyMs: fault.everyMs ?? 20 }]
    case 'endless':
      return [{ do: 'repeat', bytes: bytes(records.deltas.at(-1) ?? records.keepAlive) }]
    default:
      return undefined
  }
}

/** Each piece is a gzip member of its own, so that it can be read when it comes; the fault is in the last one. */
function pack(steps: readonly Step[], { fault }: LoopbackReply, headRecords: number): Step[] {
  if (fault?.kind !== 'truncated-gzip' && fault?.kind !== 'corrupt-gzip')
    return steps.map((step) => (step.do === 'send' ? { ...step, bytes: gzipSync(step.bytes) } : step))
  const fine = headRecords + (fault.afterDeltas ?? 0)
  const packed: Step[] = []
  const rest: Uint8Array[] = []
  let sent = 0
  for (const step of steps) {
    if (step.do === 'send' && sent >= fine) rest.push(step.bytes)
    else if (step.do === 'send') packed.push({ ...step, bytes: gzipSync(step.bytes) })
    else if (step.do === 'hold') packed.push(step)
    if (step.do === 'send') sent++
  }
  const last = gzipSync(Buffer.concat(rest))
  // the first block's header: no inflater reads past it
  if (fault.kind === 'corrupt-gzip') last.fill(0xff, 10, 16)
  const bytes = fault.kind === 'corrupt-gzip' ? last : last.subarray(0, last.length >> 1)
  return [...packed, { do: 'send', bytes }, { do: 'end' }]
}

function slices(step: Step, size: number): Step[] {
  if (step.do !== 'send') return [step]
  const cut: Step[] = []
  for (let at = 0; at < step.bytes.length; at += size)
    cut.push({ do: 'send', bytes: step.bytes.subarray(at, at + size) })
  return cut
}
