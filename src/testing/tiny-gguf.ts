import { writeFile } from 'node:fs/promises'

export interface TinyGgufOptions {
  /**
   * `noise` (default): random weights; the text depends on every token before and never ends by itself. `alphabet`: a
   * model that knows one thing, says "abcdefghijklmnopqrstuvwxyz" and ends.
   */
  says?: 'noise' | 'alphabet'
  /** Longest window it claims to be trained for. Default 2048. */
  contextTokens?: number
  seed?: number
  /** What it claims to be built like. Anything but `llama` makes a file that no engine can load. */
  architecture?: string
}

const width = 64
const hidden = 128
const blocks = 2
const heads = 4
const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index))
const control = ['<unk>', '<s>', '</s>', '<|im_start|>', '<|im_end|>']
const end = 4
const template =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"

/**
 * Writes a GGUF model of about 400 KB with invented weights and the printable characters as its vocabulary, with ChatML
 * tokens: the real engine runs it at over a thousand tokens a second, so that tests need no download.
 */
export async function writeTinyGguf(path: string, options: TinyGgufOptions = {}): Promise<void> {
  const { says = 'noise', contextTokens = 2_048, seed = 1, architecture = 'llama' } = options
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
  const pieces = printable.map((character) => (character === ' ' ? '▁' : character))
  const tokens = [...control, ...bytes, ...pieces]
  const types = tokens.map((_, id) => (id === 0 ? 2 : id < control.length ? 3 : id < control.length + 256 ? 6 : 1))
  const random = gaussian(seed)
  const matrix = (rows: number, columns: number, scale: number): Float32Array =>
    Float32Array.from({ length: rows * columns }, () => random() * scale)
  const embedding = matrix(tokens.length, width, 1)
  const quiet = says === 'alphabet' ? 0 : 0.25
  const tensors: Tensor[] = [
    { name: 'token_embd.weight', shape: [width, tokens.length], data: embedding },
    { name: 'output_norm.weight', shape: [width], data: new Float32Array(width).fill(1) },
    { name: 'output.weight', shape: [width, tokens.length], data: outputs(says, tokens, embedding, matrix) },
  ]
  for (let block = 0; block < blocks; block++) {
    const add = (name: string, shape: [number] | [number, number], data: Float32Array) =>
      tensors.push({ name: `blk.${block}.${name}.weight`, shape, data })
    add('attn_norm', [width], new Float32Array(width).fill(1))
    for (const part of ['attn_q', 'attn_k', 'attn_v', 'attn_output']) {
      add(part, [width, width], matrix(width, width, quiet))
    }
    add('ffn_norm', [width], new Float32Array(width).fill(1))
    add('ffn_gate', [width, hidden], matrix(hidden, width, quiet))
    add('ffn_up', [width, hidden], matrix(hidden, width, quiet))
    add('ffn_down', [hidden, width], matrix(width, hidden, quiet))
  }
  const metadata: [string, Value][] = [
    ['general.architecture', text(architecture)],
    ['general.name', text(`tiny ${says}`)],
    ['llama.context_length', u32(contextTokens)],
    ['llama.embedding_length', u32(width)],
    ['llama.block_count', u32(blocks)],
    ['llama.feed_forward_length', u32(hidden)],
    ['llama.attention.head_count', u32(heads)],
    ['llama.attention.head_count_kv', u32(heads)],
    ['llama.attention.layer_norm_rms_epsilon', f32(1e-5)],
    ['llama.rope.dimension_count', u32(width / heads)],
    ['llama.vocab_size', u32(tokens.length)],
    ['tokenizer.ggml.model', text('llama')],
    ['tokenizer.ggml.tokens', list(8, tokens.map(string))],
    [
      'tokenizer.ggml.scores',
      list(
        6,
        tokens.map((_, id) => f32(-id)[1]),
      ),
    ],
    [
      'tokenizer.ggml.token_type',
      list(
        5,
        types.map((type) => u32(type)[1]),
      ),
    ],
    ['tokenizer.ggml.bos_token_id', u32(1)],
    ['tokenizer.ggml.eos_token_id', u32(end)],
    ['tokenizer.ggml.unknown_token_id', u32(0)],
    ['tokenizer.ggml.add_bos_token', [7, Buffer.from([0])]],
    ['tokenizer.ggml.add_space_prefix', [7, Buffer.from([0])]],
    ['tokenizer.chat_template', text(template)],
  ]
  await writeFile(path, gguf(metadata, tensors))
}

/** What follows what. Rows that stay 0 are never the likeliest. */
function outputs(
  says: 'noise' | 'alphabet',
  tokens: readonly string[],
  embedding: Float32Array,
  matrix: (rows: number, columns: number, scale: number) => Float32Array,
): Float32Array {
  const rows = matrix(tokens.length, width, 0.3)
  // Neither template tokens nor bytes in noise: its text is printable and goes on and on.
  const silent = says === 'alphabet' ? tokens.length : control.length + 256
  rows.fill(0, 0, silent * width)
  if (says === 'noise') return rows
  // The output for a token is the embedding of the one before it; after the prompt's last line feed comes "a".
  const chain = ['<0x0A>', ...'abcdefghijklmnopqrstuvwxyz', '<|im_end|>'].map((token) => tokens.indexOf(token))
  for (const [at, id] of chain.entries()) {
    const before = chain[at - 1]
    if (before !== undefined) rows.set(embedding.subarray(before * width, (before + 1) * width), id * width)
  }
  return rows
}

// ------------------------------------------------------------------ https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

interface Tensor {
  name: string
  shape: number[]
  data: Float32Array
}
type Value = [type: number, bytes: Buffer]

const alignment = 32

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
function u32(value: number): Value {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return [4, bytes]
}
function f32(value: number): Value {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return [6, bytes]
}
function string(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([u64(bytes.length), bytes])
}
const text = (value: string): Value => [8, string(value)]
const list = (type: number, items: readonly Buffer[]): Value => [
  9,
  Buffer.concat([u32(type)[1], u64(items.length), ...items]),
]
const padded = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((alignment - (bytes.length % alignment)) % alignment)])

function gguf(metadata: readonly [string, Value][], tensors: readonly Tensor[]): Buffer {
  const parts = [Buffer.from('GGUF'), u32(3)[1], u64(tensors.length), u64(metadata.length)]
  for (const [key, [type, bytes]] of metadata) parts.push(string(key), u32(type)[1], bytes)
  const bodies: Buffer[] = []
  let offset = 0
  for (const { name, shape, data } of tensors) {
    const body = padded(Buffer.from(data.buffer, data.byteOffset, data.byteLength))
    parts.push(string(name), u32(shape.length)[1], ...shape.map(u64), u32(0)[1], u64(offset))
    bodies.push(body)
    offset += body.length
  }
  return Buffer.concat([padded(Buffer.concat(parts)), ...bodies])
}

/** Normally distributed numbers, the same for the same seed. */
function gaussian(seed: number): () => number {
  let state = seed >>> 0 || 1
  const uniform = () => {
    // xorshift32: three lines, and good enough for weights that mean nothing.
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return ((state >>> 0) + 1) / 4_294_967_298
  }
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
}
