import { z } from 'zod'
import type { CallAnswer, CallRound, WantedCall } from '../../machines/tool-calls.ts'
import type { ToolCall } from '../../machines/vocabulary.ts'
import { LlmError, type ToolDefinition } from '../backends/contract.ts'
import { first, oneLine, reasonOf, wordsOf } from './tool-words.ts'

export interface ToolContext {
  /** Aborts when the result is not wanted any more: the caller interrupts, or `timeouts.toolMs` is over. */
  signal: AbortSignal
  conversationId: string
  turnId: string
}

/** A function that the model may have called while it replies. */
export interface Tool<Parameters extends z.ZodObject = z.ZodObject> {
  /** For the model: what it does, and when it is of use. */
  description: string
  /** Checked before every call; their descriptions are shown to the model too. */
  parameters: Parameters
  /** Its result, a text or anything JSON can hold. What it throws is told to the model as a failure. */
  run(args: z.output<Parameters>, context: ToolContext): unknown
}

/**
 * Gives `run` the type of its parameters.
 *
 *     const weather = defineTool({
 *       description: 'The weather of today in a city.',
 *       parameters: z.object({ city: z.string() }),
 *       run: async ({ city }, { signal }) => lookUp(city, { signal }),
 *     })
 *     createLlmService({ tools: { weather } })
 */
export function defineTool<Parameters extends z.ZodObject>(tool: Tool<Parameters>): Tool<Parameters> {
  return tool
}

/** The functions of a service. */
export interface Toolbox {
  /** As models are told of them: made once, so that every prompt begins with the same bytes. */
  readonly definitions: readonly ToolDefinition[]
  /**
   * Says which calls can be made, and of the others why not. Ids become different from all before in the same reply;
   * another reply may have them again, as servers do that count the calls of each answer anew.
   */
  check(calls: readonly ToolCall[], before: readonly CallRound[]): WantedCall[]
  /** Never rejects. */
  run(call: ToolCall, context: ToolContext): Promise<CallAnswer>
}

/** What is written beyond this in one go is no plan but a loop. */
const mostCalls = 16
/** The same of one call. They go back to the model in every later request, as results do. */
const longestArguments = 8_000
const longestName = 64
const longestId = 64

/** Throws `config` for functions that cannot be offered. */
export function createToolbox(given: Readonly<Record<string, Tool>> = {}): Toolbox {
  // A map, because models ask for `constructor` too.
  const tools = new Map(Object.entries(checked(given)))
  const definitions = [...tools].map(([name, tool]) => definitionOf(name, tool))

  function problemOf({ name, arguments: written }: ToolCall): string | undefined {
    const tool = tools.get(name)
    if (isTooLong(written)) return `Not run: the arguments were too long, over ${longestArguments} characters.`
    if (tool === undefined) return `Not run: there is no such function. There are: ${[...tools.keys()].join(', ')}.`
    if (!isRecord(written)) return 'Not run: the arguments were no valid JSON object. Call it again with valid JSON.'
    const misfit = misfitOf(tool, written)
    return misfit && `Not run: ${misfit}. Call it again with arguments that fit its parameters.`
  }

  return {
    definitions,
    check(calls, before) {
      const taken = new Set(before.flatMap((round) => round.calls.map(({ id }) => id)))
      // One of those that are too many stays, to carry the note: an answer to each would fill the window.
      const excess = calls.length - mostCalls
      return calls.slice(0, mostCalls + 1).map(({ id: wanted, name, arguments: given }, at) => {
        const written = given ?? {}
        // Some servers count the calls of each answer anew.
        let id = first(longestId, wanted)
        for (let count = 2; taken.has(id); count++) id = `${first(longestId - `-${count}`.length, wanted)}-${count}`
        taken.add(id)
        const problem =
          at === mostCalls
            ? `Not run: no more than ${mostCalls} functions at once; of this and all further calls (${excess}) none was run.`
            : problemOf({ id, name, arguments: written })
        // What was no JSON goes back to no server: templates would break on it. What is too long fits no window.
        const args = isRecord(written) && !isTooLong(written) ? written : {}
        const call = { id, name: first(longestName, name), arguments: args }
        return problem === undefined ? call : { ...call, problem }
      })
    },
    async run(call, context) {
      try {
        const tool = tools.get(call.name)
        if (tool === undefined) throw new Error('there is no such function')
        // A copy, because z.unknown() hands on what it is given, and what the model wrote is history.
        const result: unknown = await tool.run(tool.parameters.parse(structuredClone(call.arguments)), context)
        return { call, result: wordsOf(result), outcome: 'done' }
      } catch (error) {
        return { call, result: `Failed: ${reasonOf(error)}`, outcome: 'failed' }
      }
    },
  }
}

/** From JavaScript anything may come. */
function checked(given: Readonly<Record<string, Tool>>): Readonly<Record<string, Tool>> {
  const tools: unknown = given
  const isPlain = typeof tools === 'object' && tools !== null && !Array.isArray(tools) && !(Symbol.iterator in tools)
  if (isPlain) return given
  const message = 'tools must be an object of functions by name: { weather: defineTool({ … }) }'
  throw new LlmError('config', { message, fault: 'setting' })
}

function definitionOf(name: string, tool: Tool): ToolDefinition {
  const wrong = (what: string, cause?: unknown) =>
    new LlmError('config', { message: `tools.${oneLine(name)} ${what}`, fault: 'setting', cause })
  if (typeof tool !== 'object' || tool === null) throw wrong('is no function; leave the name out, or use defineTool')
  const { description, parameters, run } = tool
  if (!/^[\w-]{1,64}$/u.test(name)) throw wrong('must be named with 1 to 64 of A-Z, a-z, 0-9, _ and -')
  if (typeof description !== 'string' || description.trim() === '') throw wrong('needs a description for the model')
  if (typeof run !== 'function') throw wrong('needs a function run(args, context)')
  if (!isZod4(parameters)) throw wrong('needs parameters made with z.object of zod 4 (npm install zod@4)')
  try {
    // Without the dialect's address: the model has no use for it, and pays for each token.
    const { $schema: _, ...schema } = z.toJSONSchema(parameters, { io: 'input' })
    if (schema.type === 'object') return { name, description, parameters: schema }
  } catch (error) {
    throw wrong('has parameters that JSON Schema cannot tell; use z.object of plain types', error)
  }
  throw wrong('has parameters that are no object; use z.object')
}

/** Told by what zod 4 alone has: there may be two copies of it. */
function isZod4(parameters: unknown): boolean {
  return typeof parameters === 'object' && parameters !== null && '_zod' in parameters
}

/** Where the arguments do not fit, for the model; undefined where they do. */
function misfitOf({ parameters }: Tool, given: Record<string, unknown>): string | undefined {
  try {
    const issues = parameters.safeParse(structuredClone(given)).error?.issues.slice(0, 5)
    return issues?.map(({ path, message }) => oneLine(`${path.join('.') || 'arguments'}: ${message}`)).join('; ')
  } catch (error) {
    // A check of the program's own that throws, or that cannot answer at once.
    return `the arguments could not be checked (${reasonOf(error)})`
  }
}

function isTooLong(written: unknown): boolean {
  return (typeof written === 'string' ? written : JSON.stringify(written)).length > longestArguments
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
