import { afterEach, describe, expect, test } from 'vitest'
import { serveScript, type ServedScript } from './serve-script.ts'
import { connect } from './wire-test-client.ts'

let served: ServedScript
afterEach(() => served.close())

const tide = 'The tide turns at noon. Then the boats go out.'

describe('a conversation over the wire', () => {
  test('a typed turn comes back as events, deltas and charts, and its outcome is told to whoever asked', async () => {
    served = await serveScript([{ text: 'Yes. Indeed.' }])
    const client = await connect(served.server)
    expect(await client.next('hello')).toMatchObject({ v: 1, answering: { isLanguageModel: true } })
    client.say({ type: 'ask', text: 'Is it so?', id: 'q1' })
    expect(await client.next('conversation')).toMatchObject({ state: 'idle', history: [], voice: false })
    expect(await client.next('outcome')).toMatchObject({
      id: 'q1',
      outcome: { ending: 'finished', text: 'Yes. Indeed.', heard: 'Yes. Indeed.' },
    })
    const types = client.told.map(({ type }) => type)
    for (const type of [
      'CALLER_TURN_ENDED',
      'RESPONSE_GENERATING',
      'delta',
      'chart',
      'RESPONSE_SEGMENT',
      'RESPONSE_FINISHED',
    ])
      expect(types, type).toContain(type)
    const deltas = client.told.filter(({ type }) => type === 'delta').map((delta) => delta['text'])
    expect(deltas.join('')).toBe('Yes. Indeed.')
    await client.close()
  })

  test('speech events make a turn, and everyone who watches sees who speaks', async () => {
    served = await serveScript([{ text: 'Yes.' }])
    const ears = await connect(served.server)
    const viewer = await connect(served.server)
    viewer.say({ type: 'open', conversationId: 'kitchen' })
    await viewer.next('conversation')
    ears.say({ type: 'SPEECH_DETECTED', conversationId: 'kitchen', text: 'Is it so?' })
    expect(await viewer.next('SPEECH_DETECTED')).toMatchObject({ text: 'Is it so?', conversationId: 'kitchen' })
    expect(await viewer.next('RESPONSE_FINISHED')).toMatchObject({ heard: 'Yes.', conversationId: 'kitchen' })
    await Promise.all([ears.close(), viewer.close()])
  })

  test('a client is the voice: what it acknowledges is what was heard', async () => {
    served = await serveScript([{ text: tide }])
    const client = await connect(served.server)
    client.say({ type: 'take-voice', canPause: true })
    client.say({ type: 'ask', text: 'When?', id: 'q' })
    const { segment } = await client.next('play')
    expect(segment).toMatchObject({ index: 0 })
    const { replyId } = await client.next('RESPONSE_STARTED')
    client.say({ type: 'started', replyId, index: 0 })
    client.say({ type: 'progressed', replyId, index: 0, chars: 'The tide turns at '.length })
    await client.next('played')
    await client.next('played')
    client.say({ type: 'interrupt' })
    expect(await client.next('silence')).toMatchObject({ replyId, index: 0 })
    expect(await client.next('outcome')).toMatchObject({
      outcome: { ending: 'interrupted', heard: 'The tide turns at' },
    })
    expect(served.service.conversation().history.at(-1)).toMatchObject({ text: 'The tide turns at', interrupted: true })
    await client.close()
  })

  test('a conversation has one voice; a second client is told so, and may take it once the first has left', async () => {
    served = await serveScript()
    const [first, second] = [await connect(served.server), await connect(served.server)]
    first.say({ type: 'take-voice' })
    await first.next('voice')
    second.say({ type: 'take-voice' })
    expect(await second.next('ERROR_OCCURRED')).toMatchObject({ message: expect.stringMatching(/sink already/) })
    await first.close()
    expect(await second.next('voice')).toMatchObject({ taken: false })
    second.say({ type: 'take-voice' })
    expect(await second.next('voice')).toMatchObject({ taken: true })
    await second.close()
  })

  test('a voice that leaves in mid-speech fails the reply and not the conversation', async () => {
    served = await serveScript([{ text: tide }, { text: 'Here.' }])
    const [voice, viewer] = [await connect(served.server), await connect(served.server)]
    viewer.say({ type: 'open' })
    voice.say({ type: 'take-voice' })
    voice.say({ type: 'ask', text: 'When?' })
    await voice.next('play')
    voice.socket.terminate()
    expect(await viewer.next('ERROR_OCCURRED')).toMatchObject({ code: 'sink' })
    viewer.say({ type: 'ask', text: 'And now?' })
    expect(await viewer.next('RESPONSE_FINISHED')).toMatchObject({ heard: 'Here.' })
    await viewer.close()
  })

  test('a conversation that was stopped is opened anew by whoever asks, and those who watch see its new life', async () => {
    served = await serveScript([{ text: 'Yes.' }])
    const client = await connect(served.server)
    client.say({ type: 'ask', text: 'One', id: 'one' })
    await client.next('outcome')
    client.say({ type: 'SYSTEM_STOPPED' })
    await client.next('CONVERSATION_CLOSED')
    client.say({ type: 'ask', text: 'Two', id: 'two' })
    expect(await client.next('outcome')).toMatchObject({ id: 'two', outcome: { ending: 'finished' } })
    await expect.poll(() => client.told.filter(({ type }) => type === 'RESPONSE_FINISHED')).toHaveLength(2)
    await expect
      .poll(() => client.told.findLast(({ type }) => type === 'conversations')?.['conversations'])
      .toMatchObject([{ conversationId: 'default', state: 'idle', turns: 2 }])
    await client.close()
  })

  test('ears that leave while somebody speaks have ended their speech', async () => {
    served = await serveScript()
    const [ears, viewer] = [await connect(served.server), await connect(served.server)]
    viewer.say({ type: 'open' })
    ears.say({ type: 'SPEECH_STARTED' })
    await viewer.next('SPEECH_STARTED')
    ears.socket.terminate()
    await viewer.next('SPEECH_ENDED')
    await viewer.close()
  })

  test('ears that leave the conversation while somebody speaks have ended their speech too', async () => {
    served = await serveScript()
    const [ears, viewer] = [await connect(served.server), await connect(served.server)]
    viewer.say({ type: 'open' })
    ears.say({ type: 'SPEECH_STARTED' })
    await viewer.next('SPEECH_STARTED')
    ears.say({ type: 'leave' })
    await viewer.next('SPEECH_ENDED')
    await Promise.all([ears.close(), viewer.close()])
  })

  test('a service that its program closes first is told as an error, and clients leave as ever', async () => {
    served = await serveScript()
    const [ears, other] = [await connect(served.server), await connect(served.server)]
    ears.say({ type: 'SPEECH_STARTED', conversationId: 'kitchen' })
    await ears.next('SPEECH_STARTED')
    await served.service.close()
    other.say({ type: 'open', conversationId: 'another' })
    expect(await other.next('ERROR_OCCURRED')).toMatchObject({ message: expect.stringMatching(/service is closed/) })
    ears.say({ type: 'leave', conversationId: 'kitchen' })
    await Promise.all([ears.close(), other.close()])
  })
})

describe('what is refused', () => {
  test.each([
    ['no JSON', 'hello there', /one JSON object/],
    ['an unknown type', '{"type":"dance"}', /type is not known/],
    ['a missing field', '{"type":"SPEECH_DETECTED"}', /text is missing/],
    ['a field that is not known', '{"type":"open","conversationID":"a"}', /unknown field conversationID/],
    [
      'a text too long',
      JSON.stringify({ type: 'SPEECH_PARTIAL', text: 'secret '.repeat(1_000) }),
      /longer than limits/,
    ],
    ['an empty question', '{"type":"ask","text":"  "}', /is empty/],
  ])('%s is answered by one bad-input and changes nothing', async (_, raw, wanted) => {
    served = await serveScript()
    const client = await connect(served.server)
    await client.next('hello')
    client.socket.send(raw)
    const error = await client.next('ERROR_OCCURRED')
    expect(error).toMatchObject({ code: 'bad-input', message: expect.stringMatching(wanted) })
    expect(JSON.stringify(error)).not.toContain('secret')
    client.say({ type: 'open' })
    expect(await client.next('conversation')).toMatchObject({ state: 'idle', history: [] })
    await client.close()
  })

  test('who speaks before hello, or another version, is sent away in words', async () => {
    served = await serveScript()
    const rude = await connect(served.server, { hello: null })
    rude.say({ type: 'open' })
    expect(await rude.closed).toBe(4408)
    const late = await connect(served.server, { hello: { type: 'hello', v: 2 } })
    expect(await late.closed).toBe(4426)
    expect(late.told.at(-1)).toMatchObject({ message: expect.stringMatching(/version 1/) })
  })

  test('a message over the limit closes the socket with 1009', async () => {
    served = await serveScript([], { limits: { messageBytes: 2_000 } })
    const client = await connect(served.server)
    client.say({ type: 'ask', text: 'x'.repeat(3_000) })
    expect(await client.closed).toBe(1009)
  })
})
