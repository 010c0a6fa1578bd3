import { z } from 'zod'
import { LlmError } from '../../backends/contract.ts'

/** https://sqlite.org/rescode.html: the low byte is the primary code. */
const primary = {
  busy: 5,
  locked: 6,
  noMemory: 7,
  readOnly: 8,
  interrupted: 9,
  io: 10,
  damaged: 11,
  full: 13,
  cannotOpen: 14,
  notDatabase: 26,
}

/** What else SQLite may say, by its primary code. */
const otherNames = new Map([
  [1, 'SQLITE_ERROR'],
  [2, 'SQLITE_INTERNAL'],
  [3, 'SQLITE_PERM'],
  [4, 'SQLITE_ABORT'],
  [15, 'SQLITE_PROTOCOL'],
  [17, 'SQLITE_SCHEMA'],
  [18, 'SQLITE_TOOBIG'],
  [19, 'SQLITE_CONSTRAINT'],
  [20, 'SQLITE_MISMATCH'],
  [21, 'SQLITE_MISUSE'],
  [23, 'SQLITE_AUTH'],
  [25, 'SQLITE_RANGE'],
])

const NodeError = z.object({ errcode: z.number() })
const LibsqlError = z.object({ rawCode: z.number() })
const LibsqlOpenError = z.object({ message: z.string() })
const SystemError = z.object({ code: z.string(), syscall: z.string() })
const identifier = z.string().regex(/^\w+$/u)
const NamedError = z.object({ name: identifier, code: identifier.exactOptional() })

/** SQLite's extended result code, wherever the driver keeps it. */
function resultCode(error: unknown): number | undefined {
  const node = NodeError.safeParse(error)
  if (node.success) return node.data.errcode
  const libsql = LibsqlError.safeParse(error)
  if (libsql.success) return libsql.data.rawCode
  // A failure to open comes without a code: ConnectionFailed("Unable to open connection to local database …: 14")
  const opening = LibsqlOpenError.safeParse(error)
  const told = opening.success ? /^ConnectionFailed\(.*: (\d+)"\)$/su.exec(opening.data.message)?.[1] : undefined
  return told === undefined ? undefined : Number(told)
}

/** Whether the file itself is what is wrong: no database, or one whose pages contradict each other. */
export function isDamage(error: unknown): boolean {
  const code = (resultCode(error) ?? 0) & 0xff
  return code === primary.damaged || code === primary.notDatabase
}

export function storeError(
  fault: string,
  message: string,
  { cause, retryable = false }: { cause?: unknown; retryable?: boolean } = {},
): LlmError {
  return new LlmError('store', { message, fault, retryable, cause })
}

/** What the driver or the file system threw, in words for whoever runs the program. */
export function toStoreError(error: unknown, file: string): LlmError {
  if (error instanceof LlmError) return error
  const system = SystemError.safeParse(error)
  if (system.success) return systemFault(error, system.data.code, file)
  const code = resultCode(error)
  const again = { cause: error, retryable: true }
  switch ((code ?? 0) & 0xff) {
    case primary.busy:
    case primary.locked:
      return storeError('busy', `${file} is locked by another program; close what has it open for writing.`, again)
    case primary.full:
      return storeError('full', `The disk that holds ${file} is full; free some room on it.`, again)
    case primary.io:
      return storeError('io', `The disk failed at ${file} (SQLite code ${code}); look into the system’s log.`, again)
    case primary.noMemory:
    case primary.interrupted:
      return storeError('memory', `SQLite ran out of memory at ${file}; give the process more.`, again)
    case primary.readOnly:
    case primary.cannotOpen:
      return unwritable(error, file, `SQLite code ${code}`)
    case primary.damaged:
    case primary.notDatabase:
      return storeError(
        'damaged',
        `${file} is damaged; start the program again, which puts it aside and begins anew.`,
        {
          cause: error,
        },
      )
    default:
      return storeError(
        'sqlite',
        `The store at ${file} failed (${nameOf(error, code)}); if it happens again, report it.`,
        {
          cause: error,
        },
      )
  }
}

/** What is known without the error's own words, which may quote what was to be kept. */
function nameOf(error: unknown, code: number | undefined): string {
  if (code !== undefined) {
    const name = otherNames.get(code & 0xff)
    return name === undefined ? `SQLite code ${code}` : `${name}, SQLite code ${code}`
  }
  const named = NamedError.safeParse(error)
  if (!named.success) return 'no error of SQLite'
  return named.data.code === undefined ? named.data.name : `${named.data.name} ${named.data.code}`
}

function systemFault(error: unknown, code: string, file: string): LlmError {
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const message = `The disk that holds ${file} is full; free some room on it.`
    return storeError('full', message, { cause: error, retryable: true })
  }
  if (code === 'EMFILE' || code === 'ENFILE' || code === 'EIO') {
    const message = `${file} cannot be opened now (${code}); raise the limit of open files, or look into the system’s log.`
    return storeError('io', message, { cause: error, retryable: true })
  }
  return unwritable(error, file, code)
}

function unwritable(cause: unknown, file: string, how: string): LlmError {
  const message = `${file} cannot be opened (${how}); let the process write the file and its folder, or give another place.`
  return storeError('unwritable', message, { cause })
}
