import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { serveScript } from './serve-script.ts'

test('the client in Python is ears and voice: what it says is answered, and what it prints was heard', async () => {
  const served = await serveScript([{ text: 'Noon.' }])
  const finished = new Promise<string>((resolve) =>
    served.service.events.subscribe((event) => event.type === 'RESPONSE_FINISHED' && resolve(event.heard)),
  )
  const python = spawn('python3', ['examples/voice_client.py', String(served.server.port)], { stdio: 'pipe' })
  python.stdin.write('When does the tide turn?\n')
  expect(await finished).toBe('Noon.')
  python.stdin.end()
  const [said] = await Promise.all([text(python.stdout), once(python, 'close')])
  expect(said).toContain('Noon.')
  expect(served.service.conversation().history).toMatchObject([
    { role: 'user', text: 'When does the tide turn?' },
    { role: 'assistant', text: 'Noon.' },
  ])
  await served.close()
})

test.each(['--help', 'PORT'])('the client in Python answers %s with its usage, in one line', async (argument) => {
  const python = spawn('python3', ['examples/voice_client.py', argument], { stdio: 'pipe' })
  const [complained] = await Promise.all([text(python.stderr), once(python, 'close')])
  expect(complained).toBe('usage: python3 voice_client.py [PORT]\n')
})
