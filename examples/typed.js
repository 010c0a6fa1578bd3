// A typed conversation with any server: node examples/typed.js http://127.0.0.1:11434 'What time is it?'
import { createLlmService } from 'colloquy'

const [baseUrl = 'http://127.0.0.1:11434', ...questions] = process.argv.slice(2)
const service = createLlmService({ baseUrl })
const conversation = service.conversation()
conversation.deltas.subscribe(({ kind, text }) => kind === 'text' && process.stdout.write(text))

for (const question of questions.length > 0 ? questions : ['Who are you?']) {
  console.log(`> ${question}`)
  const { ending, error, model, timings } = await conversation.ask(question)
  console.log(
    ending === 'failed' ? error.message : `\n  (${model}, first token after ${timings.timeToFirstTokenMs} ms)`,
  )
}
await service.close()
