import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createInflateRaw } from 'node:zlib'
import { LlmError } from '../backends/contract.ts'
import { codeOf } from './faults.ts'

// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT: 4.3.7 local header, 4.3.12 directory, 4.3.16 its end
const localHeader = 0x04034b50
const directoryHeader = 0x02014b50
const directoryEnd = 0x06054b50

export interface UnzipOptions {
  zipPath: string
  entry: string
  target: string
  signal?: AbortSignal | undefined
  onProgress?: (writtenBytes: number, totalBytes: number) => void
}

/**
 * Inflates one entry of a zip file, hashing as it goes. What stands in the place of the file goes first, links too.
 * Resolves with the sha256; rejects with `protocol` where it cannot.
 */
export async function unzipEntry({ zipPath, entry, target, signal, onProgress }: UnzipOptions): Promise<string> {
  const file = await open(zipPath)
  let found: Entry
  try {
    found = await find(file, entry)
  } finally {
    await file.close()
  }
  const { start, packed, size, method } = found
  const hash = createHash('sha256')
  let written = 0
  const meter = new Transform({
    transform(piece: Buffer, _encoding, done) {
      hash.update(piece)
      written += piece.length
      onProgress?.(written, size)
      // A directory that lies about a size must not fill the disk.
      if (written > size) done(damaged('its sizes do not agree'))
      else done(null, piece)
    },
  })
  const source = packed === 0 ? Readable.from([]) : createReadStream(zipPath, { start, end: start + packed - 1 })
  await rm(target, { force: true })
  const sink = createWriteStream(target, { flags: 'wx' })
  const options = signal ? { signal } : {}
  try {
    if (method === 8) await pipeline(source, createInflateRaw(), meter, sink, options)
    else await pipeline(source, meter, sink, options)
  } catch (error) {
    signal?.throwIfAborted()
    throw codeOf(error)?.startsWith('Z_') ? damaged('its data are corrupt', error) : error
  }
  return hash.digest('hex')
}

interface Entry {
  start: number
  packed: number
  size: number
  method: number
}

async function find(file: FileHandle, entry: string): Promise<Entry> {
  const { size: length } = await file.stat()
  const tail = await read(file, Math.max(0, length - 65_557), Math.min(length, 65_557))
  const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]))
  if (end < 0 || tail.readUInt32LE(end) !== directoryEnd) throw damaged('it has no directory')
  const directory = await read(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12))
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === directoryHeader;) {
    const nameLength = directory.readUInt16LE(at + 28)
    const name = directory.toString('utf8', at + 46, at + 46 + nameLength)
    if (name === entry) {
      const method = directory.readUInt16LE(at + 10)
      if (method !== 0 && method !== 8) throw damaged('its compression is not known')
      const offset = directory.readUInt32LE(at + 42)
      const local = await read(file, offset, 30)
      if (local.readUInt32LE(0) !== localHeader) throw damaged('an entry is not where it should be')
      const start = offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28)
      return { start, packed: directory.readUInt32LE(at + 20), size: directory.readUInt32LE(at + 24), method }
    }
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
  }
  throw damaged('it does not hold the model')
}

async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  const { bytesRead } = await file.read(bytes, 0, length, position)
  if (bytesRead < length) throw damaged('it is cut off')
  return bytes
}

const damaged = (why: string, cause?: unknown): LlmError =>
  new LlmError('protocol', { message: `The downloaded package cannot be unpacked: ${why}.`, cause, fault: 'package' })
