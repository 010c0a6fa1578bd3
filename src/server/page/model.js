/** What the page knows of one conversation: a fold over what the server says. Pure, so that it can be tested alone. */

/** @param {string} conversationId */
export function newConversation(conversationId) {
  return {
    conversationId,
    state: 'idle',
    /** Caller turns, replies, failures and asides, oldest first. */
    entries: [],
    /** Words of the caller that are not a turn yet. */
    pending: { finals: [], partial: '', isOpen: false },
    charts: { conversation: null, reply: null },
    trail: ['idle'],
    voiceTaken: false,
    moments: null,
    /** Of a reply that runs ahead of its turn: its words and its slot come before the turn does. */
    early: { replyId: '', deltas: [], grantedAtMs: undefined },
    speechEndedAtMs: null,
    ending: null,
  }
}

const longestTrail = 5

/** Takes one message of the server into account. */
export function take(known, message) {
  switch (message.type) {
    case 'conversation':
      return begin(known, message)
    case 'chart':
      return takeChart(known, message)
    case 'STATE_CHANGED':
      known.state = message.to
      known.trail = [...known.trail, message.to].slice(-longestTrail)
      return
    case 'voice':
      known.voiceTaken = message.taken
      return
    case 'SPEECH_STARTED':
      known.pending.isOpen = true
      return
    case 'SPEECH_PARTIAL':
      known.pending.partial = message.text
      return
    case 'SPEECH_DETECTED':
      known.pending.partial = ''
      // Outside of `detecting` earlier words led to no turn: a backchannel, a stop word.
      if (known.state !== 'detecting') known.pending.finals = []
      if (message.text.trim() !== '') known.pending.finals.push(message.text)
      return
    case 'SPEECH_ENDED':
      known.pending.isOpen = false
      known.speechEndedAtMs = message.atMs
      return
    case 'CALLER_TURN_ENDED':
      known.entries.push({ kind: 'caller', text: message.text, turnId: message.turnId, speaker: message.speaker })
      known.pending = { finals: [], partial: '', isOpen: known.pending.isOpen }
      return
    case 'AMBIENT_SPEECH_IGNORED':
      if (message.kept !== undefined) known.entries.push({ kind: 'aside', text: message.kept })
      return
    default:
      return takeReply(known, message)
  }
}

function begin(known, { state, history, voice, charts }) {
  Object.assign(known, newConversation(known.conversationId), { state, voiceTaken: voice, trail: [state] })
  // What was looked up for a reply was said by nobody.
  known.entries = history
    .filter(({ role }) => role !== 'tool')
    .map((turn) =>
      turn.role === 'user'
        ? { kind: 'caller', text: turn.text, speaker: turn.speaker }
        : { ...newReply(''), text: turn.text, heard: turn.text, isOver: true, interrupted: turn.interrupted === true },
    )
  for (const chart of charts) known.charts[chart.chart] = chart
}

function takeChart(known, chart) {
  known.charts[chart.chart] = chart
  if (chart.chart !== 'reply') return
  if (chart.last === undefined) known.early = { replyId: '', deltas: [], grantedAtMs: undefined }
  if (!chart.active.includes('reply.work.attempting.requested')) return
  known.early.grantedAtMs ??= chart.atMs
  if (known.moments !== null) known.moments.grantedAtMs ??= chart.atMs
}

function newReply(replyId) {
  return {
    kind: 'assistant',
    replyId,
    attempt: 0,
    /** As the model writes it. */
    text: '',
    segments: [],
    isOver: false,
    interrupted: false,
    heard: '',
    delay: null,
    facts: null,
  }
}

function takeReply(known, message) {
  const reply = known.entries.findLast((entry) => entry.kind === 'assistant' && !entry.isOver)
  switch (message.type) {
    case 'RESPONSE_GENERATING': {
      if (reply) reply.isOver = true
      known.entries.push({ ...newReply(message.replyId), turnId: message.turnId })
      const caller = known.entries.findLast(({ kind }) => kind === 'caller')
      const spoken = known.speechEndedAtMs
      known.moments = {
        callerEndedAtMs: spoken !== null && caller?.turnId === message.turnId ? spoken : message.atMs,
        askedAtMs: message.atMs,
        grantedAtMs: known.early.grantedAtMs,
      }
      known.speechEndedAtMs = null
      for (const delta of known.early.deltas.splice(0)) takeReply(known, delta)
      return
    }
    case 'delta':
      if (message.kind !== 'text') return
      if (!reply || reply.replyId !== message.replyId) {
        if (known.early.replyId !== message.replyId)
          Object.assign(known.early, { replyId: message.replyId, deltas: [] })
        known.early.deltas.push(message)
        return
      }
      if (message.attempt > reply.attempt) {
        reply.attempt = message.attempt
        reply.text = reply.segments.map(({ gap, source }) => gap + source).join('')
      }
      // What is repeated stands there already, as its segments.
      if (message.repeated !== true) reply.text += message.text
      reply.delay = null
      known.moments.firstTokenAtMs ??= message.atMs
      return
    case 'RESPONSE_DELAYED':
      if (reply) reply.delay = message.reason
      return
    case 'RESPONSE_SEGMENT':
      if (!reply) return
      reply.segments[message.index] = {
        text: message.text,
        source: message.source,
        gap: message.gap,
        // Nobody speaks it aloud: what is shown is heard.
        chars: known.voiceTaken ? 0 : message.text.length,
      }
      known.moments.firstSegmentAtMs ??= message.atMs
      return
    case 'played': {
      const segment = reply?.replyId === message.replyId ? reply.segments[message.index] : undefined
      if (!segment) return
      segment.chars = Math.max(segment.chars, message.chars)
      known.moments.firstSoundAtMs ??= message.atMs
      return
    }
    case 'RESPONSE_GENERATED':
      if (!reply) return
      reply.text = message.text
      reply.facts = { model: message.model, fallback: message.fallback, cached: message.cached }
      known.moments.generatedAtMs ??= message.atMs
      return
    case 'RESPONSE_FINISHED':
    case 'RESPONSE_INTERRUPTED':
      known.ending = message
      if (known.moments) known.moments.endedAtMs ??= message.atMs
      if (!reply) return
      reply.isOver = true
      reply.heard = message.heard
      reply.interrupted = message.type === 'RESPONSE_INTERRUPTED'
      reply.reason = message.reason
      return
    case 'ERROR_OCCURRED':
      known.ending = message
      if (reply && message.turnId === reply.turnId && message.turnId !== undefined) {
        reply.isOver = true
        reply.heard = message.heard ?? ''
        reply.interrupted = reply.heard !== ''
      }
      known.entries.push({
        kind: 'failure',
        code: message.code,
        message: message.message,
        recoverable: message.recoverable,
      })
      return
  }
}

/**
 * A reply in three parts: what was heard, what is still to come, what nobody will hear.
 * @returns {{ heard: string, coming: string, lost: string }}
 */
export function partsOf(reply) {
  const text = reply.text.trim()
  const heard = reply.isOver ? reply.heard : heardSoFar(reply.segments)
  const rest = text.startsWith(heard) ? text.slice(heard.length) : ''
  return reply.isOver ? { heard, coming: '', lost: rest } : { heard, coming: rest, lost: '' }
}

function heardSoFar(segments) {
  let heard = ''
  for (const segment of segments) {
    if (segment === undefined || segment.chars === 0) break
    const isWhole = segment.chars >= segment.text.length
    heard += (heard === '' ? '' : segment.gap) + (isWhole ? segment.source : startOf(segment))
    if (!isWhole) break
  }
  return heard
}

/** Where the spoken text is not the written one, the same share of it, up to a word's end. */
function startOf({ text, source, chars }) {
  if (text === source) return source.slice(0, chars)
  const share = Math.floor((source.length * chars) / text.length)
  return source.slice(0, Math.max(0, source.lastIndexOf(' ', share)))
}

/** The stations of a turn, each with how long it took; null where it is not known (yet). */
export function stationsOf(moments) {
  if (moments === null) return []
  const { callerEndedAtMs, askedAtMs, grantedAtMs, firstTokenAtMs, firstSegmentAtMs, firstSoundAtMs } = moments
  const stations = [
    ['turn', 'turn decided', callerEndedAtMs, askedAtMs],
    ['queue', 'queue', askedAtMs, grantedAtMs],
    ['token', 'first token', grantedAtMs ?? askedAtMs, firstTokenAtMs],
    ['segment', 'first segment', firstTokenAtMs, firstSegmentAtMs],
    ['sound', 'first sound', firstSegmentAtMs, firstSoundAtMs],
  ]
  return stations.map(([key, label, from, to]) => {
    if (from === undefined || to === undefined) return { key, label, fromMs: null, ms: null }
    // What ran ahead of the turn took none of the caller's time.
    const [start, end] = [Math.max(0, from - callerEndedAtMs), Math.max(0, to - callerEndedAtMs)]
    return { key, label, fromMs: start, ms: Math.max(0, end - start) }
  })
}
