import { once } from 'node:events'
import { WebSocket, type RawData } from 'ws'
import { z } from 'zod'

const entry = z.looseObject({ seq: z.number(), kind: z.string(), actor: z.number(), type: z.string().optional() })
const actor = z.looseObject({
  key: z.number(),
  id: z.string(),
  parent: z.number().nullable(),
  status: z.string(),
  active: z.array(z.string()),
  context: z.string().optional(),
})
const message = z.looseObject({
  type: z.enum(['hello', 'batch']),
  charts: z.record(z.string(), z.looseObject({ id: z.string() })),
  actors: z.array(actor),
  entries: z.array(entry),
})
type Message = z.infer<typeof message>

/** Joins an inspector as its page does, and remembers every word. */
export async function view(url: string) {
  const { host, origin } = new URL(url)
  const socket = new WebSocket(`ws://${host}/live`, { origin })
  const messages: Message[] = []
  let text = ''
  let heard = () => {}
  socket.on('message', (data: RawData) => {
    const said = Buffer.isBuffer(data) ? data.toString() : ''
    text += said
    messages.push(message.parse(JSON.parse(said)))
    heard()
  })
  await once(socket, 'open')

  /** Resolves as soon as what was told so far fulfils this. */
  async function until(isTold: (messages: readonly Message[]) => boolean): Promise<void> {
    while (!isTold(messages)) await new Promise<void>((resolve) => (heard = resolve))
  }
  await until((all) => all.length > 0)

  return {
    socket,
    messages,
    until,
    text: () => text,
    entries: () => messages.flatMap((one) => one.entries),
    /** Actors as they were told last, by key. */
    actors: () => new Map(messages.flatMap((one) => one.actors).map((one) => [one.key, one])),
    async close() {
      if (socket.readyState === WebSocket.CLOSED) return
      socket.terminate()
      await once(socket, 'close')
    },
  }
}
