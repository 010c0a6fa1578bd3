import { failureOfStatus } from '../../src/backends/status-faults.ts'
import { StopFilter } from '../../src/backends/embedded/stop-filter.ts'
import { TokenText } from '../../src/backends/embedded/token-text.ts'
import { splitLines } from '../../src/backends/lines.ts'
import { promptOf } from '../../src/backends/ollama/generate.ts'
import { sameModel } from '../../src/backends/ollama/models.ts'
import { plainCause, quotable, withoutSecrets } from '../../src/backends/redaction.ts'
import { readSse } from '../../src/backends/sse.ts'
import { Config } from '../../src/config/config.ts'
import { nearest } from '../../src/config/nearest.ts'
import { boundResults } from '../../src/generation/bound-results.ts'
import { holdDeltas } from '../../src/generation/hold-deltas.ts'
import { createNoRepeat } from '../../src/generation/no-repeat.ts'
import { createReplyText } from '../../src/generation/reply-text.ts'
import { createTextFilter } from '../../src/generation/text-filter.ts'
import { estimateMessage, headWithin } from '../../src/generation/token-estimate.ts'
import { reasonOf, wordsOf } from '../../src/generation/tool-words.ts'
import { foldHistory } from '../../src/history/fold-history.ts'
import { createSpeechParser } from '../../src/listening/parse-speech.ts'
import { calculate } from '../../src/server/calculate.ts'
import { scriptedAnswer } from '../../src/server/scripted-answers.ts'
import { heardSource } from '../../src/speaking/heard-text.ts'
import { createLedger } from '../../src/speaking/ledger.ts'
import { createSegmenter } from '../../src/speaking/segmenter.ts'
import { toSentences } from '../../src/speaking/to-sentences.ts'
import { toSpeakable } from '../../src/speaking/to-speakable.ts'
import { isEchoedPartial, isStalePartial, noWords } from '../../machines/conversation/caller-words.ts'
import { backchannelsOf, stopWordsOf } from '../../machines/phrases.ts'
import { countWords, foldWords, namesOneOf, saysOnly } from '../../machines/words.ts'
import { from } from 'rxjs'

const { segments } = Config.parse({})
const charMs = { latin: 66, han: 220 }

/** Every way that a text of a model, a caller or a server goes. */
export type TextPath = (text: string) => unknown

const byCharacter = (text: string): string[] => text.split('')
const whole = (text: string): string[] => [text]
const slicings = { 'at once': whole, 'by character': byCharacter }

const segmented =
  (slices: (text: string) => string[], language: string, unspokenMs?: () => number): TextPath =>
  (text) => {
    const segmenter = createSegmenter({ language, segments, ...(unspokenMs === undefined ? {} : { unspokenMs }) })
    for (const delta of slices(text)) segmenter.push(delta)
    return segmenter.end()
  }

/** The same path for a text that comes at once, or a code unit at a time. */
const sliced = (name: string, path: (slices: (text: string) => string[]) => TextPath): Record<string, TextPath> =>
  Object.fromEntries(Object.entries(slicings).map(([how, slices]) => [`${name}, ${how}`, path(slices)]))

const spoken = (text: string) => ({ words: [text], calls: false })

export const speakingPaths: Readonly<Record<string, TextPath>> = {
  ...sliced('segments', (slices) => segmented(slices, 'en')),
  ...sliced('segments of a silent voice', (slices) => segmented(slices, 'zh', () => 0)),
  ...sliced('sentences', (slices) => (text) => {
    const sentences: string[] = []
    from(slices(text))
      .pipe(toSentences())
      .subscribe((sentence) => sentences.push(sentence))
    return sentences
  }),
  speakable: (text) => toSpeakable(text),
  'speakable in code': (text) => toSpeakable(text, { fence: '```' }),
  heard: (text) => heardSource({ text: toSpeakable(text).text, source: text }, text.length / 2),
  'heard of another source': (text) =>
    heardSource({ text: [...text].toReversed().join(''), source: text }, text.length / 2),
  'heard, by acknowledgement': (text) => {
    const segmenter = createSegmenter({ language: 'en', segments, unspokenMs: () => 0 })
    const ledger = createLedger(charMs)
    const cuts = [...segmenter.push(text), ...segmenter.end()]
    for (const segment of cuts) ledger.cut(segment)
    for (const segment of cuts) {
      ledger.handed(segment)
      const isCut = segment.index % 10 === 0
      if (isCut) ledger.acknowledged(segment.index, { type: 'progressed', chars: segment.text.length / 2 }, 0)
      ledger.isAnythingHeard()
      ledger.unspokenMs(1)
      ledger.acknowledged(segment.index, { type: 'finished' }, 0)
      ledger.heard()
    }
    return ledger.heard()
  },
}

export const otherPaths: Readonly<Record<string, TextPath>> = {
  ...sliced('text filter', (slices) => (text) => {
    const filter = createTextFilter()
    for (const delta of slices(text)) filter.push(delta)
    return filter.end()
  }),
  ...sliced('repetition', (slices) => (text) => {
    const filter = createNoRepeat(text)
    for (const delta of slices(text)) filter.push(delta)
    return filter.end()
  }),
  ...sliced('reply text', (slices) => (text) => {
    const segmenter = createSegmenter({ language: 'en', segments })
    const reply = createReplyText({ segmenter, limitChars: 8_000, after: { text: '', segments: 0 }, goesOn: false })
    for (const delta of slices(text)) reply.push(reply.accept(delta))
    reply.push(reply.acceptRest())
    return [reply.end({ cut: true }), reply.text, reply.empty]
  }),
  ...sliced('stop filter', (slices) => (text) => {
    const filter = new StopFilter(['\nUser:', '<|im_end|>', text.slice(0, 40), 'aaaaaaaaaaaaaaaaaaab'])
    for (const delta of slices(text)) filter.push(delta)
    return filter.end()
  }),
  ...sliced('lines', (slices) => (text) => {
    const lines: string[] = []
    const split = splitLines(1 << 20, (line) => lines.push(line))
    for (const delta of slices(text)) split.feed(Buffer.from(delta))
    split.end()
    return lines
  }),
  ...sliced('server-sent events', (slices) => (text) => {
    const data: string[] = []
    const sse = readSse(1 << 20, { onData: (piece) => data.push(piece), onUnknownField: (field) => data.push(field) })
    for (const delta of slices(text)) sse.feed(Buffer.from(delta))
    sse.end()
    return data
  }),
  'held deltas': (text) => {
    const shown: string[] = []
    const held = holdDeltas((delta) => shown.push(delta.text))
    held.begin({ replyId: 'r', purpose: 'speculation' })
    for (const delta of byCharacter(text)) held.onDelta({ replyId: 'r', attempt: 1, kind: 'text', text: delta })
    held.show('r')
    return shown
  },
  tokens: (text) => [estimateMessage({ role: 'user', content: text }), headWithin(text, 1_000)],
  results: (text) => boundResults([{ role: 'tool', content: text }], 2_000),
  'words of a function': (text) => [wordsOf({ text }), reasonOf(new Error(text))],
  history: (text) => foldHistory([], { type: 'RESPONSE_FINISHED', turnId: 't', heard: text }),
  transcript: (text) => createSpeechParser(4_000)({ type: 'SPEECH_DETECTED', text }),
  'folded words': (text) => [foldWords(text), countWords(text)],
  phrases: (text) => [
    saysOnly(text, backchannelsOf('en')),
    saysOnly(text, [...stopWordsOf('zh'), 'a', 'a a', 'aa']),
    namesOneOf(text, ['Jarvis', text.slice(0, 20), 'a']),
  ],
  'caller words': (text) => [
    isStalePartial(text, { ...noWords, finals: [text] }, null),
    isEchoedPartial(text, 0, { text, takenPartial: null, atMs: 0, voiceSerial: 0 }, 1),
  ],
  calculator: (text) => calculate(text),
  'scripted answer': (text) => scriptedAnswer([{ role: 'user', content: text }], { time: '', day: '' }),
  'nearest word': (text) => [nearest(text, ['interruption', text.slice(1)]), nearest('interruption', [text])],
  'quoted error': (text) => quotable(text, { secrets: ['geheim'], spoken: spoken([...text].toReversed().join('')) }),
  'error without secrets': (text) => [withoutSecrets(text, ['geheim', 'a']), plainCause(new Error(text), [])],
  'refusal of a server': (text) =>
    [400, 404, 500].map((status) =>
      failureOfStatus({
        status,
        body: text,
        header: () => text,
        origin: 'http://a',
        backend: 'ollama-chat',
        privacy: { secrets: [], spoken: spoken(text) },
      }),
    ),
  'model name': (text) => sameModel(text, `${text}:latest`),
  'prompt of lines': (text) => promptOf([{ role: 'user', content: text }]),
  detokenizing: (text) => {
    const tokens = new TokenText((some) => String.fromCharCode(...some))
    return byCharacter(text).map((unit) => tokens.push(unit.charCodeAt(0)))
  },
}

export const textPaths: Readonly<Record<string, TextPath>> = { ...speakingPaths, ...otherPaths }
