import { z } from 'zod'
import { Config } from './config.ts'

type JsonSchema = z.core.JSONSchema.BaseSchema

/** One setting, as documentation, environment and error messages need it. */
export interface Setting {
  /** `endpointing.minDelayMs` */
  path: string
  /** `COLLOQUY_ENDPOINTING_MIN_DELAY_MS` */
  variable: string
  /** In words: `a whole number from 0 to 5000`. */
  allowed: string
  /** What JSON types a value may have. */
  types: readonly string[]
  /** undefined: there is no default. */
  byDefault: unknown
  meaning: string
}

const root: JsonSchema = z.toJSONSchema(Config, { io: 'input' })

/** Every setting there is, in the order of the schema. Read from the schema: nothing is written down twice. */
export function listSettings(): Setting[] {
  return leaves(root, [])
}

/** The keys allowed at a path; empty where no section is. */
export function keysAt(path: readonly PropertyKey[]): string[] {
  return Object.keys(schemaAt(path)?.properties ?? {})
}

/** What may stand at a path, in words; undefined where the schema knows no such path. */
export function allowedAt(path: readonly PropertyKey[]): string | undefined {
  const schema = schemaAt(path)
  return schema === undefined ? undefined : inWords(schema)
}

function leaves(schema: JsonSchema, path: string[]): Setting[] {
  if (schema.properties !== undefined) {
    return Object.entries(schema.properties).flatMap(([key, child]) =>
      typeof child === 'boolean' ? [] : leaves(child, [...path, key]),
    )
  }
  return [
    {
      path: path.join('.'),
      variable: `COLLOQUY_${path.map(screaming).join('_')}`,
      allowed: inWords(schema),
      types: typesOf(schema),
      byDefault: schema.default,
      meaning: schema.description ?? '',
    },
  ]
}

/** minDelayMs -> MIN_DELAY_MS */
function screaming(key: string): string {
  return key.replaceAll(/([a-z])([A-Z])/g, '$1_$2').toUpperCase()
}

function schemaAt(path: readonly PropertyKey[]): JsonSchema | undefined {
  let schema: JsonSchema | undefined = root
  for (const key of path) {
    const child: unknown = typeof key === 'number' ? schema?.items : schema?.properties?.[String(key)]
    schema = isSchema(child) ? child : undefined
  }
  return schema
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function branches(schema: JsonSchema): JsonSchema[] {
  return (schema.anyOf ?? []).filter(isSchema)
}

function typesOf(schema: JsonSchema): string[] {
  const own = schema.type === undefined ? [] : [schema.type].flat()
  return [...own, ...branches(schema).flatMap(typesOf)]
}

function inWords(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return branches(schema).map(inWords).join(', or ')
  if (schema.const !== undefined) return String(schema.const)
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`
  return [schema.type ?? []]
    .flat()
    .map((type) => typeInWords(type, schema))
    .join(', or ')
}

function typeInWords(type: string, schema: JsonSchema): string {
  switch (type) {
    case 'integer':
      return `a whole number${range(schema)}`
    case 'number':
      return `a number${range(schema)}`
    case 'boolean':
      return 'true or false'
    case 'array':
      return `a list, each item ${isSchema(schema.items) ? inWords(schema.items) : 'anything'}`
    case 'object':
      return `an object with ${Object.keys(schema.properties ?? {}).join(', ')}`
    default:
      return schema.format === 'uri' ? 'an http:// or https:// address' : `a text${length(schema)}`
  }
}

function range({ minimum, maximum }: JsonSchema): string {
  const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER
  return isBounded ? ` from ${minimum} to ${maximum}` : ''
}

function length({ minLength = 0, maxLength }: JsonSchema): string {
  if (maxLength !== undefined) return ` of ${minLength} to ${maxLength} characters`
  return minLength > 0 ? ' that is not empty' : ''
}
