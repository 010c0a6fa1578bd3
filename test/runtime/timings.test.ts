import { expect, it } from 'vitest'
import { asks, rains, slow } from './functions.ts'
import { talk } from './harness.ts'

const twice = {
  replies: [
    { text: 'One two three four five six seven eight nine ten eleven twelve thirteen fourteen.' },
    { text: 'Fine.' },
  ],
}

it('a cough long ago is not the end of what is typed now', async () => {
  const { clock, conversation, caller, service, of } = talk({ backend: twice })
  caller.next({ type: 'SPEECH_STARTED' })
  await clock.advanceTo(300)
  caller.next({ type: 'SPEECH_ENDED' })
  await clock.advanceTo(60_000)
  const asked = conversation.ask('count')
  await clock.runUntilIdle()
  await asked
  const [finished] = of('RESPONSE_FINISHED')
  expect(finished?.timings.timeToFirstAudioMs).toBe((finished?.timings.timeToFirstSegmentMs ?? 0) + 30)
  await service.close()
})

it('what the assistant says by itself follows nobody’s words', async () => {
  const { clock, conversation, service, of } = talk({ backend: twice })
  const asked = conversation.ask('count')
  await clock.advanceTo(60_000)
  const said = conversation.say('Tea is ready.')
  await clock.runUntilIdle()
  await Promise.all([asked, said])
  expect(of('RESPONSE_FINISHED')[1]?.timings).toMatchObject({ timeToFirstAudioMs: 30 })
  await service.close()
})

it('overheard speech that is answered ended when it was heard', async () => {
  const { clock, conversation, caller, service, of } = talk({
    backend: twice,
    options: { assistantNames: ['ada'] },
  })
  const asked = conversation.ask('count')
  await clock.advanceTo(60_000)
  await asked
  caller.next({ type: 'AMBIENT_SPEECH_DETECTED', text: 'thank you ada' })
  await clock.runUntilIdle()
  expect(of('RESPONSE_FINISHED')[1]?.timings.timeToFirstAudioMs).toBeLessThan(1_000)
  await service.close()
})

it('a barge-in is counted from its own voice, not from a noise before', async () => {
  const { clock, conversation, caller, service, of } = talk({ backend: twice })
  const asked = conversation.ask('count')
  await clock.advanceTo(1_000)
  caller.next({ type: 'SPEECH_STARTED' })
  await clock.advanceTo(1_200)
  caller.next({ type: 'SPEECH_ENDED' })
  await clock.advanceTo(3_500)
  caller.next({ type: 'SPEECH_STARTED' })
  await clock.advanceTo(3_700)
  caller.next({ type: 'SPEECH_DETECTED', text: 'wait please' })
  caller.next({ type: 'SPEECH_ENDED' })
  await clock.runUntilIdle()
  await asked
  expect(of('RESPONSE_INTERRUPTED')).toMatchObject([{ timings: { bargeInToSilenceMs: 200 } }])
  await service.close()
})

it('a reply with functions has waited as long as all its requests waited', async () => {
  const { tool, finish } = slow()
  const { clock, service } = talk({
    backend: { replies: [{ text: 'One.', firstTokenMs: 1_000 }, asks, rains] },
    options: { tools: { weather: tool }, concurrency: { slots: 1 } },
  })
  const one = service.conversation('one').ask('hello')
  await clock.advanceTo(1)
  const two = service.conversation('two').ask('hello')
  await clock.advanceTo(6_000)
  finish('dry')
  await clock.runUntilIdle()
  await one
  // Until the first had its words; the second request found the slot free.
  expect((await two).timings.queueMs).toBe(999)
})
