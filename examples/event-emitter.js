// On the event emitter that a program already has: node examples/event-emitter.js http://127.0.0.1:11434
import { EventEmitter, once } from 'node:events'
import { busFromEventEmitter, createLlmService } from 'colloquy'

const emitter = new EventEmitter()
const [baseUrl = 'http://127.0.0.1:11434'] = process.argv.slice(2)
const service = createLlmService({ baseUrl, bus: busFromEventEmitter(emitter) })
emitter.on('ERROR_OCCURRED', ({ message }) => console.log(`trouble: ${message}`))
emitter.on('RESPONSE_SEGMENT', ({ text }) => console.log(`assistant: ${text}`))
await service.initialize()

const ended = Promise.race(['RESPONSE_FINISHED', 'ERROR_OCCURRED'].map((type) => once(emitter, type)))
emitter.emit('SPEECH_DETECTED', { type: 'SPEECH_DETECTED', text: 'What time is it?' })
await ended
await service.close()
