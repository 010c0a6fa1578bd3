import { readdirSync, readFileSync } from 'node:fs'

/** What a reply must survive, and how. A row whose outcome cannot be had yet says why. */
interface FaultRow {
  row: number
  fault: string
  outcome: string
  missing?: string
}

const rows = (text: string): FaultRow[] =>
  text
    .trim()
    .split('\n')
    .map((line) => {
      const [row = '', fault = '', outcome = '', missing] = line.split(' | ').map((cell) => cell.trim())
      return { row: Number(row), fault, outcome, ...(missing === undefined ? {} : { missing }) }
    })

export const faultTable: readonly { group: string; rows: readonly FaultRow[] }[] = [
  {
    group: 'connection, HTTP',
    rows: rows(`
1 | refused | R, D, \`connection\`
2 | name not found | X \`config\`, says the name
3 | connect goes nowhere | D after connectMs
4 | reset before headers | R, D
5 | closed before headers | R, D
6 | not HTTP at all | X \`protocol\`
7 | headers too large | X \`protocol\`
8 | TLS refused or mismatched | X \`connection\`, says which
9 | a port or scheme that fetch refuses | X \`config\` at start
10 | redirect | X, not followed, says where to
11 | 400 context too long | evict, once again, then \`context-overflow\`
12 | 400 capability | F
13 | 401, 403 | D, \`auth\`, names the setting
14 | 404 model | F, model marked absent, \`diagnose()\` says how to pull it
15 | 404 path | probe the API again, once
16 | 408, 429 with or without Retry-After | wait if it fits the deadline, else F
17 | 500 load failure, out of memory | R, F
18 | 503 busy | D, \`overloaded\`
19 | error body unreadable, huge, HTML | the status still decides`),
  },
  {
    group: 'stream',
    rows: rows(`
20 | chunked end without end record | F or S
21 | connection closed without end record | F or S
22 | truncated gzip | F or S
23 | corrupt gzip | F or S
24 | 200, then an error record | F or S
25 | 200 with HTML | X \`protocol\`, names the content type
26 | reset in mid-body | F or S
27 | bad chunk size | F or S
28 | a line that is not JSON | the attempt fails, never skipped
29 | UTF-8 or JSON split anywhere | unseen: same deltas for every split
30 | CRLF, comments, blank lines | ignored
31 | a line over 1 MiB | aborted, memory bounded
32 | silence before the first token | F after firstTokenMs
33 | silence in mid-stream | F or S after idleMs
34 | keep-alive bytes only | as 32, 33
35 | data after the end record | ignored, socket released
36 | two end records | one end
37 | one byte at a time | totalMs`),
  },
  {
    group: 'model',
    rows: rows(`
38 | empty reply | F once, then a typed error
39 | white space or emoji only | as 38
40 | thinking only | as 38
41 | endless repetition | cut at the reply limit, flagged
42 | done_reason length | spoken to the last sentence, flagged
43 | content filter | no fallback, its own code
44 | broken tool JSON | told to the model once, then \`tool\`
45 | template tokens in the text | stripped, counted
46 | fallback with a smaller window | prompt fitted anew
47 | cold load | loading time-out, RESPONSE_DELAYED loading`),
  },
  {
    group: 'sink, actor',
    rows: rows(`
48 | the sink errors | reply stopped, typed error, next turn works
49 | the sink never drains | text is held within the reply limit, sink-stalled
50 | barge-in before the first byte | server sees the close, no assistant entry
51 | barge-in in mid-speech | heard text only
52 | late delta of an older turn | dropped
53 | abort racing the end | exactly one ending event
54 | stop while queued, connecting, streaming, speaking | slot free, silent in one macrotask, socket closed within 100 ms
55 | a subscriber, sink, hook or inspector that throws | isolated, reported, actor alive`),
  },
  {
    group: 'store, time',
    rows: rows(`
56 | cache read fails | a miss
57 | cache or store write fails | reported, the turn goes on
58 | corrupt or tampered snapshot | refused with its reason, fresh conversation, file kept aside
59 | slow store | the first segment waits 50 ms for the commit at most, the event says durable: false
60 | wall clock jumps | nothing: monotonic time`),
  },
  {
    group: 'process',
    rows: rows(`
79 | the event loop stands still for 5 s | what lies in the socket is read before a time-out is believed; no breaker blames the server
80 | odd request targets, upgrades, headers at the page's server and the inspector | 4xx, the process lives
81 | a promise that rejects from any hook, sink, bus, logger, store or inspector method | isolated, reported
82 | control and escape sequences in model text, names, files | never reach a terminal or a sink raw
83 | adversarial text of 8 000 characters | linear: under 50 ms anywhere
85 | mute connections, thousands | others are served`),
  },
]

/** The names of the tests in this folder, by row: what stands in the sources as `row N: fact` or as `[N, 'fact'`. */
export function testsByRow(): Map<number, { file: string; fact: string }[]> {
  const found = new Map<number, { file: string; fact: string }[]>()
  const folder = new URL('.', import.meta.url)
  for (const file of readdirSync(folder).toSorted()) {
    if (!file.endsWith('.test.ts')) continue
    const source = readFileSync(new URL(file, folder), 'utf8')
    for (const [, row = '', fact = ''] of source.matchAll(
      /(?:'row (?=\d)|\[\s*(?=\d+,\s*'[a-z0-9]))(\d+)[:,]\s*'?([^'\n]+)'/giu,
    )) {
      const facts = found.get(Number(row)) ?? []
      found.set(Number(row), [...facts, { file, fact: fact.trim().replaceAll('%s', '…') }])
    }
  }
  return found
}

/** The table of docs/faults.md. */
export function faultMarkdown(): string {
  const tests = testsByRow()
  const cells = ({ row, missing }: FaultRow) => {
    const mine = tests.get(row) ?? []
    const result = missing === undefined ? 'holds' : mine.length > 0 ? `in part: ${missing}` : `not yet: ${missing}`
    const names = mine.map(({ file, fact }) => `${fact.replaceAll('|', '\\|')} (${file.replace('.test.ts', '')})`)
    return `${names.join('; ')} | ${result}`
  }
  const lines = faultTable.flatMap(({ group, rows: inGroup }) => [
    `| | **${group}** | | | |`,
    ...inGroup.map((row) => `| ${row.row} | ${row.fault} | ${row.outcome} | ${cells(row)} |`),
  ])
  return ['| # | fault | outcome | tests | result |', '| --- | --- | --- | --- | --- |', ...lines].join('\n')
}
