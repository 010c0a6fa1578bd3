/** Random conversations: what a caller, a backend and a sink may do, around the moments at which something is decided. */
import fc from 'fast-check'
import type { ScenarioInput } from '../../src/testing/index.ts'

/** A scenario, and what a file cannot hold. */
export interface RandomCase {
  scenario: ScenarioInput
  detector: 'none' | 'sure' | 'unsure' | 'fails' | 'silent'
  store: 'none' | 'quick' | 'slow' | 'fails'
}

type Spoken = NonNullable<ScenarioInput['timeline']>[number]
type Reply = NonNullable<NonNullable<ScenarioInput['backend']>['replies']>[number]

/** Spans at, just before and just after those that the chart decides by. */
const span = fc.oneof(
  fc.constantFrom(0, 10, 250, 490, 500, 510, 700, 1_000, 1_990, 2_000, 2_500, 3_010),
  fc.integer({ min: 0, max: 4_000 }),
)

/** A value, or none. */
function rarely<Value>(value: fc.Arbitrary<Value>, weight: number, none = 1): fc.Arbitrary<Value | null> {
  return fc.oneof({ weight, arbitrary: value }, { weight: none, arbitrary: fc.constant(null) })
}

const kind = fc.oneof(
  { weight: 6, arbitrary: fc.constant('words' as const) },
  { weight: 2, arbitrary: fc.constant('noise' as const) },
  { weight: 1, arbitrary: fc.constantFrom('word', 'backchannel', 'stop-word', 'blank', 'overheard') },
)

/** One stretch of caller speech. Its events come in any order that its spans happen to give. */
const stretch = fc.record({
  gapMs: fc.oneof({ weight: 3, arbitrary: span }, { weight: 1, arbitrary: fc.integer({ min: 3_000, max: 9_000 }) }),
  hasVoice: fc.constantFrom(true, true, true, false),
  ends: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  voiceMs: span,
  partialsAtMs: fc.array(span, { maxLength: 2 }).map((partials) => partials.slice(1)),
  finalAtMs: rarely(span, 3),
  kind,
})
type Stretch = typeof stretch extends fc.Arbitrary<infer Value> ? Value : never

const tokens = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 12 }))
const fault: fc.Arbitrary<NonNullable<Reply['fault']> | undefined> = fc.oneof(
  { weight: 24, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('http' as const), status: fc.constantFrom(400, 404, 429, 500, 503) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'refused' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'deaf' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('stall' as const, 'cut' as const, 'no-end' as const, 'error-record' as const),
      afterTokens: tokens,
    }),
  },
)

const longTexts = [
  'It is noon by the clock that hangs in the hall, or a little later than that. Who knows?',
  'The first sentence is here. The second one follows, with a clause. And a third ends it.',
  'Here is a rather long answer. It has several sentences, and none of them is short. So there is time to interrupt.',
]
const slowReply: Reply = { text: longTexts[2], perTokenMs: 500 }
const shortTexts = [
  'One two three four five six seven.',
  '**Two** things are `ready` now. See example.com today.',
  '今天天气很好。我们去公园吧。',
  'Yes',
  'It is noon.',
  '😀',
]

const reply: fc.Arbitrary<Reply> = fc.record({
  text: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...longTexts) },
    { weight: 2, arbitrary: fc.constantFrom(...shortTexts) },
  ),
  firstTokenMs: fc.constantFrom(0, 100, 100, 700, 1_500, 2_500, 4_500),
  perTokenMs: fc.constantFrom(0, 20, 300, 500, 700),
  fault,
})

const options: fc.Arbitrary<NonNullable<ScenarioInput['options']>> = fc.record({
  speculation: fc.record({ enabled: fc.boolean() }),
  interruption: fc.record({ enabled: fc.constantFrom(true, true, true, false), minWords: fc.constantFrom(1, 1, 2) }),
  endpointing: fc.record({ noVadDelayMs: fc.constantFrom(0, 0, 300) }),
  retry: fc.record({ attempts: fc.constantFrom(0, 1) }),
  fallback: fc.record({
    models: fc.constantFrom(['m1'], ['m1', 'm2']),
    afterCommit: fc.constantFrom('stop' as const, 'continue' as const),
  }),
  ambient: fc.record({ policy: fc.constantFrom('wake' as const, 'context' as const) }),
})

const sink = fc.record({
  startMs: fc.constantFrom(0, 30, 300),
  charMs: fc.constantFrom(30, 60),
  pausable: fc.constantFrom(true, true, true, false),
  acknowledges: fc.constantFrom(
    'progress' as const,
    'progress' as const,
    'progress' as const,
    'progress' as const,
    'progress' as const,
    'finish' as const,
    'never' as const,
  ),
})

export const randomCase: fc.Arbitrary<RandomCase> = fc
  .record({
    stretches: fc.array(stretch, { minLength: 1, maxLength: 6 }),
    stopAtMs: rarely(fc.integer({ min: 0, max: 15_000 }), 1, 7),
    replies: fc.array(reply, { minLength: 1, maxLength: 5 }),
    // Voice that comes while a reply is spoken whose text is slow to come: rare if left to chance.
    coughAtMs: rarely(fc.integer({ min: 1_500, max: 4_000 }), 1, 5),
    asksAtOnce: fc.constantFrom(true, true, true, false),
    options,
    sink,
    store: fc.constantFrom('none' as const, 'quick' as const, 'slow' as const, 'fails' as const),
    detector: fc.constantFrom(
      'none' as const,
      'none' as const,
      'none' as const,
      'sure' as const,
      'unsure' as const,
      'fails' as const,
      'silent' as const,
    ),
  })
  .map(({ stretches, stopAtMs, replies, detector, store, coughAtMs, asksAtOnce, ...rest }) => ({
    detector,
    store,
    scenario: {
      name: 'a random conversation',
      ...rest,
      backend: { models: ['m1', 'm2'], replies: coughAtMs === null ? replies : [slowReply, ...replies] },
      timeline: timelineOf(stretches, stopAtMs, coughAtMs, asksAtOnce || coughAtMs !== null),
    },
  }))

function timelineOf(
  stretches: readonly Stretch[],
  stopAtMs: number | null,
  coughAtMs: number | null,
  asksAtOnce: boolean,
): Spoken[] {
  const timeline: Spoken[] = stopAtMs === null ? [] : [[stopAtMs, 'SYSTEM_STOPPED']]
  // A reply is under way while the caller goes on: that is where most is to be decided.
  if (asksAtOnce) timeline.push([0, 'SPEECH_DETECTED', wordsOf('words', stretches.length)])
  if (coughAtMs !== null) timeline.push([coughAtMs, 'SPEECH_STARTED'], [coughAtMs + 700, 'SPEECH_ENDED'])
  let sinceMs = coughAtMs ?? 0
  stretches.forEach((said, index) => {
    sinceMs += said.gapMs
    timeline.push(...eventsOf(said, sinceMs, index))
  })
  return timeline.sort((a, b) => a[0] - b[0])
}

function eventsOf(
  { hasVoice, ends, voiceMs, partialsAtMs, finalAtMs, kind: said }: Stretch,
  fromMs: number,
  index: number,
) {
  const events: Spoken[] = []
  const text = wordsOf(said, index)
  if (said === 'overheard') return [[fromMs, 'AMBIENT_SPEECH_DETECTED', text] satisfies Spoken]
  if (said === 'noise')
    return [
      [fromMs, 'SPEECH_STARTED'],
      [fromMs + voiceMs, 'SPEECH_ENDED'],
    ] satisfies Spoken[]
  if (hasVoice) events.push([fromMs, 'SPEECH_STARTED'])
  for (const at of partialsAtMs) events.push([fromMs + at, 'SPEECH_PARTIAL', text])
  if (finalAtMs !== null) events.push([fromMs + finalAtMs, 'SPEECH_DETECTED', text])
  if (hasVoice && ends) events.push([fromMs + voiceMs, 'SPEECH_ENDED'])
  return events
}

/** Words of their own for each stretch, so that none can be lost or told twice unseen. */
export function wordsOf(said: Stretch['kind'], index: number): string {
  switch (said) {
    case 'words':
      return `please answer question${index}`
    case 'word':
      return `question${index}`
    case 'backchannel':
      return 'uh-huh'
    case 'stop-word':
      return 'be quiet'
    case 'overheard':
      return `overheard remark${index}`
    default:
      return ' '
  }
}
