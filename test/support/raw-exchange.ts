import { connect, type Socket } from 'node:net'

/** A socket that says just these bytes, whatever they are, and keeps what it is told. */
export interface RawSocket {
  socket: Socket
  /** Everything told so far, a byte a character. */
  told(): string
  /** Resolves with everything told, when the server has closed or something was told that matches. */
  until(pattern: RegExp): Promise<string>
  /** Resolves with everything told, when the server has closed. */
  closed: Promise<string>
}

export function rawSocket(port: number, bytes: string | Uint8Array = ''): RawSocket {
  const socket = connect(port, '127.0.0.1')
  let told = ''
  let look = () => {}
  socket.on('data', (piece) => {
    told += piece.toString('latin1')
    look()
  })
  // A cut is one of the answers.
  socket.on('error', () => {})
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(told)))
  if (bytes.length > 0) socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  const until = (pattern: RegExp) =>
    new Promise<string>((resolve) => {
      look = () => pattern.test(told) && resolve(told)
      look()
      void closed.then(resolve)
    })
  return { socket, told: () => told, until, closed }
}

/** The status of the answer to these bytes; 0: the socket was cut without a word. Statuses of 1xx but 101 are passed over. */
export async function statusOf(
  port: number,
  bytes: string | Uint8Array,
  { isAll = false }: { /** Nothing comes after these bytes. */ isAll?: boolean } = {},
): Promise<number> {
  const { socket, until } = rawSocket(port, bytes)
  if (isAll) socket.end()
  const head = /^(?:HTTP\/1\.1 1(?!01)\d\d [^]*?\r\n\r\n)*HTTP\/1\.1 (\d{3}) [^]*?\r\n\r\n/u
  const told = await until(head)
  socket.destroy()
  return Number(head.exec(told)?.[1] ?? 0)
}

/** For `expect.poll`: a busy machine takes its time. */
export const patiently = { timeout: 60_000 }
