import { open, stat, type FileHandle } from 'node:fs/promises'
import { LlmError } from '../contract.ts'

/** What a model file says of itself. */
export interface GgufHeader {
  path: string
  sizeBytes: number
  architecture: string
  name: string | undefined
  /** Longest window the model was trained for. */
  trainedContextTokens: number | undefined
  hasChatTemplate: boolean
}

// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
const magic = 0x46554747
const sizes = new Map([
  [0, 1],
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 4],
  [5, 4],
  [6, 4],
  [7, 1],
  [10, 8],
  [11, 8],
  [12, 8],
])
const stringType = 8
const arrayType = 9

/**
 * Reads the header of a GGUF file without loading the model, and checks that the file is whole. Rejects with `config`
 * where it is no GGUF file, cut off or not to be read.
 */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  let file: FileHandle | undefined
  try {
    // Opening a pipe would wait for whoever writes it.
    const found = await stat(path)
    if (!found.isFile()) throw refusal(path, found.isDirectory() ? 'it is a folder' : 'it is a pipe or a device')
    file = await open(path)
    return await parse(path, file)
  } catch (cause) {
    if (cause instanceof LlmError) throw cause
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'ENOENT') throw refusal(path, 'there is no such file', cause)
    if (code === 'EACCES' || code === 'EPERM') throw refusal(path, 'it may not be read by this user', cause)
    throw refusal(path, 'it is corrupt or cut off; download it again', cause)
  } finally {
    await file?.close()
  }
}

async function parse(path: string, file: FileHandle): Promise<GgufHeader> {
  const { size } = await file.stat()
  const cursor = new Cursor(file, size)
  if (size < 24 || (await cursor.number(4)) !== magic) throw refusal(path, 'it is not a GGUF model file')
  const version = await cursor.number(4)
  if (version < 2 || version > 3) throw refusal(path, `its GGUF version ${version} is not supported`)
  const tensors = await cursor.number(8)
  const pairs = await cursor.number(8)
  const values = new Map<string, string | number>()
  for (let pair = 0; pair < pairs; pair++) {
    const key = await cursor.text()
    const value = await cursor.value(await cursor.number(4))
    if (value !== undefined) values.set(key, value)
  }
  let last = 0
  for (let tensor = 0; tensor < tensors; tensor++) {
    await cursor.text()
    const dimensions = await cursor.number(4)
    await cursor.skip(dimensions * 8 + 4)
    last = Math.max(last, await cursor.number(8))
  }
  if (tensors === 0 || cursor.at + last >= size) throw refusal(path, 'it is cut off; download it again')
  const architecture = String(values.get('general.architecture') ?? '')
  const trained = values.get(`${architecture}.context_length`)
  const name = values.get('general.name')
  return {
    path,
    sizeBytes: size,
    architecture,
    name: typeof name === 'string' ? name : undefined,
    trainedContextTokens: typeof trained === 'number' ? trained : undefined,
    hasChatTemplate: values.has('tokenizer.chat_template'),
  }
}

function refusal(path: string, why: string, cause?: unknown): LlmError {
  const message = `The model file ${path} cannot be used: ${why}.`
  return new LlmError('config', { message, cause, backend: 'embedded', fault: 'model-file' })
}

/** Reads forward through a file in pieces; a vocabulary may take megabytes, so strings in lists are skipped. */
class Cursor {
  at = 0
  readonly #file: FileHandle
  readonly #size: number
  #piece = Buffer.alloc(0)
  #pieceAt = 0

  constructor(file: FileHandle, size: number) {
    this.#file = file
    this.#size = size
  }

  async #bytes(length: number): Promise<Buffer> {
    if (length < 0 || this.at + length > this.#size) throw new RangeError('past the end of the file')
    const offset = this.at - this.#pieceAt
    if (offset < 0 || offset + length > this.#piece.length) {
      const piece = Buffer.alloc(Math.min(Math.max(length, 65_536), this.#size - this.at))
      const { bytesRead } = await this.#file.read(piece, 0, piece.length, this.at)
      this.#piece = piece.subarray(0, bytesRead)
      this.#pieceAt = this.at
      if (bytesRead < length) throw new RangeError('past the end of the file')
    }
    const from = this.at - this.#pieceAt
    this.at += length
    return this.#piece.subarray(from, from + length)
  }

  async number(bytes: 4 | 8): Promise<number> {
    const read = await this.#bytes(bytes)
    return bytes === 4 ? read.readUInt32LE() : Number(read.readBigUInt64LE())
  }

  skip(bytes: number): Promise<void> {
    if (this.at + bytes > this.#size) return Promise.reject(new RangeError('past the end of the file'))
    this.at += bytes
    return Promise.resolve()
  }

  async text(): Promise<string> {
    const length = await this.number(8)
    if (length > 16_777_216) throw new RangeError('a string that is too long')
    return (await this.#bytes(length)).toString('utf8')
  }

  /** Whole numbers and strings are told, all else is passed over. */
  async value(type: number): Promise<string | number | undefined> {
    if (type === stringType) return this.text()
    if (type === arrayType) return this.#list()
    if (type === 4) return this.number(4)
    if (type === 10) return this.number(8)
    const size = sizes.get(type)
    if (size === undefined) throw new RangeError('an unknown type')
    await this.skip(size)
    return undefined
  }

  async #list(): Promise<undefined> {
    const type = await this.number(4)
    const length = await this.number(8)
    const size = sizes.get(type)
    if (size !== undefined) await this.skip(size * length)
    else for (let item = 0; item < length; item++) await (type === stringType ? this.#passText() : this.value(type))
    return undefined
  }

  async #passText(): Promise<void> {
    await this.skip(await this.number(8))
  }
}
