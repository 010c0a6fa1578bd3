import { once } from 'node:events'
import { WebSocket, type ClientOptions } from 'ws'
import { z } from 'zod'
import type { RunningServer } from '../../src/server/start-server.ts'

const Message = z.looseObject({ type: z.string() })
export type Told = z.output<typeof Message>

export interface TestClient {
  socket: WebSocket
  /** Everything told so far. */
  told: Told[]
  say(message: object): void
  /** The next message of this type that was not asked for yet. */
  next(type: string): Promise<Told>
  /** Resolves with the close code. */
  closed: Promise<number>
  close(): Promise<void>
}

/** A socket that keeps what it is told, and can wait for it. */
export async function connect(
  server: Pick<RunningServer, 'port'>,
  given: ClientOptions & { hello?: object | null } = {},
): Promise<TestClient> {
  const { hello = { type: 'hello', v: 1 }, ...options } = given
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, options)
  const told: Told[] = []
  const seen = new Map<string, number>()
  let wake: (() => void)[] = []
  socket.on('message', (data) => {
    if (!Buffer.isBuffer(data)) throw new TypeError('not a buffer')
    told.push(Message.parse(JSON.parse(data.toString('utf8'))))
    const waiting = wake
    wake = []
    for (const go of waiting) go()
  })
  const closed = new Promise<number>((resolve) => socket.once('close', resolve))
  await once(socket, 'open')
  const client: TestClient = {
    socket,
    told,
    say: (message) => socket.send(JSON.stringify(message)),
    async next(type) {
      for (;;) {
        const at = told.findIndex((message, index) => index >= (seen.get(type) ?? 0) && message.type === type)
        const found = told[at]
        if (found !== undefined) {
          seen.set(type, at + 1)
          return found
        }
        await new Promise<void>((resolve) => wake.push(resolve))
      }
    },
    closed,
    async close() {
      socket.close()
      await closed
    },
  }
  if (hello !== null) client.say(hello)
  return client
}
