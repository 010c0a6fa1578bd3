import { once } from 'node:events'
import { createServer } from 'node:net'
import { createWebSocketInspector } from '@statelyai/inspect'
import { createInspectorServer } from '@statelyai/inspect/server'
import { WebSocket, type RawData } from 'ws'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { talkingService } from './two-conversations.ts'

const told = z.looseObject({
  type: z.enum(['@xstate.actor', '@xstate.event', '@xstate.snapshot']),
  sessionId: z.string(),
  name: z.string().optional(),
  definition: z.string().optional(),
  parentId: z.string().optional(),
  event: z.looseObject({ type: z.string() }).optional(),
  snapshot: z.looseObject({ value: z.unknown().optional() }).optional(),
})

/** Its server takes no port 0. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Its WebSocket server with a client that records what a viewer would get. */
async function recorded() {
  const port = await freePort()
  const server = createInspectorServer({ port, autoOpen: false })
  const url = `ws://localhost:${port}`
  const client = new WebSocket(url)
  const messages: z.infer<typeof told>[] = []
  let text = ''
  let heard = () => {}
  client.on('message', (data: RawData) => {
    const said = Buffer.isBuffer(data) ? data.toString() : ''
    text += said
    messages.push(told.parse(JSON.parse(said)))
    heard()
  })
  await once(client, 'open')
  return {
    url,
    messages,
    text: () => text,
    async until(isTold: () => boolean) {
      while (!isTold()) await new Promise<void>((resolve) => (heard = resolve))
    },
    async close() {
      client.terminate()
      await once(client, 'close')
      server.stop()
    },
  }
}

describe('the inspector of Stately', () => {
  it('gets actors, events and snapshots of conversation and reply, and no key', async () => {
    const viewer = await recorded()
    const inspector = createWebSocketInspector({ url: viewer.url })
    const { clock, service, conversation } = talkingService({
      apiKey: 'sk-never-to-be-seen',
      inspect: inspector.inspect,
    })
    const outcome = conversation('kitchen').ask('switch on the light')
    await clock.runUntilIdle()
    expect(await outcome).toMatchObject({ ending: 'finished' })
    await viewer.until(() => viewer.messages.some(({ event }) => event?.type === 'PLAYBACK_FINISHED'))

    const actors = viewer.messages.filter(({ type }) => type === '@xstate.actor')
    const find = (name: string) => actors.find((one) => one.name === name)
    const [kitchen, reply] = [find('kitchen'), find('reply-1')]
    expect(JSON.parse(kitchen?.definition ?? '')).toMatchObject({ id: 'conversation', initial: 'idle' })
    expect(JSON.parse(reply?.definition ?? '')).toMatchObject({ id: 'reply' })
    expect(reply?.parentId).toBe(kitchen?.sessionId)
    const valuesOf = (sessionId: string | undefined) =>
      viewer.messages
        .filter((one) => one.type === '@xstate.snapshot' && one.sessionId === sessionId)
        .map(({ snapshot }) => JSON.stringify(snapshot?.value))
    expect(valuesOf(kitchen?.sessionId).some((value) => value.includes('responding'))).toBe(true)
    expect(valuesOf(reply?.sessionId).some((value) => value.includes('attempting'))).toBe(true)
    const types = viewer.messages.filter(({ type }) => type === '@xstate.event').map(({ event }) => event?.type)
    expect(types).toEqual(expect.arrayContaining(['CALLER_TYPED', 'REPLY_SEGMENT', 'REPLY_ENDED']))
    expect(viewer.text()).not.toContain('sk-never')

    inspector.stop()
    await service.close()
    await viewer.close()
  })

  // Its sanitizers do not reach the input that snapshots of callback actors carry: those are left out.
  it('shows no word of the conversation with its sanitizers and the filter of docs/inspecting.md', async () => {
    const viewer = await recorded()
    const inspector = createWebSocketInspector({
      url: viewer.url,
      sanitizeEvent: ({ type }) => ({ type }),
      sanitizeContext: () => ({}),
      filter: (event) => !('snapshot' in event && 'input' in event.snapshot),
    })
    const { clock, service, conversation } = talkingService({ inspect: inspector.inspect })
    void conversation('kitchen').ask('switch on the light')
    await clock.runUntilIdle()
    await viewer.until(() => viewer.messages.some(({ event }) => event?.type === 'PLAYBACK_FINISHED'))
    expect(viewer.text()).not.toContain('switch on')
    inspector.stop()
    await service.close()
    await viewer.close()
  })
})
