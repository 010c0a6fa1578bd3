/** A frame of a WebSocket as a client sends it (RFC 6455, 5.2), right or wrong. */
export function wsFrame({
  opcode = 1,
  payload = '',
  fin = true,
  rsv = 0,
  masked = true,
  length,
}: {
  opcode?: number
  /** As bytes where it is no text. */
  payload?: string | Uint8Array
  fin?: boolean
  /** The three reserved bits. */
  rsv?: number
  masked?: boolean
  /** Claimed instead of the right one. */
  length?: bigint
}): Buffer {
  const body = Buffer.from(payload)
  const claimed = length ?? BigInt(body.length)
  const head = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode])
  const mask = masked ? 0x80 : 0
  const size = Buffer.alloc(claimed < 126n ? 1 : claimed < 65_536n ? 3 : 9)
  if (size.length === 1) size.writeUInt8(mask | Number(claimed))
  else if (size.length === 3) size.writeUIntBE(((mask | 126) << 16) | Number(claimed), 0, 3)
  else {
    size.writeUInt8(mask | 127)
    size.writeBigUInt64BE(claimed, 1)
  }
  if (!masked) return Buffer.concat([head, size, body])
  const key = Buffer.from([1, 2, 3, 4])
  return Buffer.concat([head, size, key, body.map((byte, index) => byte ^ (key[index % 4] ?? 0))])
}
