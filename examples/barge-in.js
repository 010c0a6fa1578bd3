// The caller interrupts; what is remembered is what was heard. No server, no waiting: node examples/barge-in.js
import { Subject } from 'rxjs'
import { createLlmService } from 'colloquy'
import { scriptedBackend, scriptedSink, virtualClock } from 'colloquy/testing'

const clock = virtualClock()
const replies = [{ text: 'It is noon, and the sun is out. You could go for a walk.' }, { text: 'As you like.' }]
const backend = scriptedBackend({ replies }, clock)
const service = createLlmService({ clock, backend, sink: scriptedSink({}, clock) })
const conversation = service.conversation()
service.events.subscribe(({ type, atMs, heard = '' }) => console.log(`${atMs} ms`.padStart(9), type, heard))

const speech = new Subject()
conversation.listenTo(speech)
speech.next({ type: 'SPEECH_DETECTED', text: 'What time is it?' })
await clock.advanceTo(1_200)
speech.next({ type: 'SPEECH_DETECTED', text: 'Never mind.' })
await clock.runUntilIdle()

console.log(conversation.history)
await service.close()
