import { judge, type Verdict } from './judge.ts'
import { perform, type TraceEntry } from './perform.ts'
import { parseScenario } from './scenario.ts'

export interface ScenarioResult {
  name: string
  /** Every verdict is good. */
  passed: boolean
  verdicts: readonly Verdict[]
  /** What happened, a line each, to be read by a colleague. */
  timeline: readonly string[]
  /** The same, in full and as plain data. The same scenario gives the same trace, byte for byte. */
  trace: readonly TraceEntry[]
}

/**
 * Plays a conversation on virtual time with the real service and looks at what came of it. Only the clock,
 * randomness, the backend and the sink are scripted. Rejects with `config` where the scenario has a key or a value
 * that it may not have, naming its path; a check that fails is a verdict.
 *
 *     const { passed, verdicts } = await runScenario(JSON.parse(await readFile('hello.json', 'utf8')))
 */
export async function runScenario(scenario: unknown): Promise<ScenarioResult> {
  const parsed = parseScenario(scenario)
  const seen = await perform(parsed)
  const verdicts = judge(parsed, seen)
  const { trace } = seen
  return {
    name: parsed.name,
    passed: verdicts.every(({ ok }) => ok),
    verdicts,
    timeline: trace.map(({ atMs, who, what }) => `${`${atMs}ms`.padStart(8)}  ${who.padEnd(8)}  ${what}`),
    trace,
  }
}

/** A result for people: the name, the timeline, a line per verdict. Line breaks in names and texts become spaces. */
export function formatScenario({ name, passed, timeline, verdicts }: ScenarioResult): string {
  const judged = verdicts.map(({ check, ok, message }) => `  ${ok ? 'ok  ' : 'FAIL'}  ${check}: ${message}`)
  const lines = [`${passed ? 'passed' : 'FAILED'}  ${name}`, ...timeline, ...judged]
  return lines.map((line) => line.replaceAll(/[\r\n]\s*/gu, ' ')).join('\n')
}
