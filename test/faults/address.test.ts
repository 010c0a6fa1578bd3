import { createServer } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLlmService } from '../../src/runtime/service.ts'
import { loopbackServer, refusedUrl } from '../../src/testing/loopback-server.ts'
import { listening } from '../../src/testing/loopback/sockets.ts'
import { quiet } from './resources.ts'
import { plantedKey } from './secrets.ts'
import { selfSigned } from './self-signed.ts'
import { stage } from './support.ts'

describe('an address where nothing can be had', () => {
  it('row 1: a refused connection is tried again, then the origin is left', async () => {
    const { ask, asked, one, leaves } = await stage({ options: { baseUrl: await refusedUrl() } })
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'Two speaks.', model: 'm3' })
    expect(await ask('and now')).toMatchObject({ ending: 'finished', heard: 'Two speaks.' })
    expect(asked()).toEqual(['m3', 'm3'])
    expect(one.seen).toEqual([])
    await leaves()
  })

  it('row 1: with nowhere else to go it is a connection error; a server that comes up is found by the next turn', async () => {
    const baseUrl = await refusedUrl()
    const { ask, one, asked, service, rests, leaves } = await stage({ alone: true, options: { baseUrl } })
    expect(await service.initialize()).toMatchObject({ reachable: false })
    const { error, ending } = await ask()
    expect([ending, error?.code]).toEqual(['failed', 'connection'])
    expect(error?.message).toContain('start the server')
    expect([asked(), one.seen]).toEqual([[], []])
    await rests()
    const late = await loopbackServer({ port: Number(new URL(baseUrl).port), apiKey: plantedKey })
    onTestFinished(() => late.close())
    expect(await ask()).toMatchObject({ ending: 'finished', heard: 'Hello.' })
    await quiet(() => late.openSockets === 0)
    await late.close()
    await leaves()
  })

  it('row 2: a name that is not found fails at once, and is said', async () => {
    const { ask, asked, says, leaves } = await stage({
      options: { baseUrl: 'http://no-such-host.invalid:11434' },
    })
    const { error, ending } = await ask()
    expect([ending, error?.code]).toEqual(['failed', 'config'])
    expect(error?.message).toContain('no-such-host.invalid')
    expect(asked()).toEqual([])
    await says()
    await leaves()
  })

  it('row 8: TLS asked of a server without it fails at once, and says so', async () => {
    const { url } = (await stage({ alone: true })).one
    const { ask, asked, says, leaves } = await stage({ options: { baseUrl: url.replace('http:', 'https:') } })
    const { error, ending } = await ask()
    expect([ending, error?.code]).toEqual(['failed', 'connection'])
    expect(error?.message).toContain('does not speak TLS')
    expect(asked()).toEqual([])
    await says()
    await leaves()
  })

  it('row 8: a certificate that nobody vouches for fails at once, and says so', async () => {
    const server = createServer(selfSigned, (socket) => socket.destroy())
    const port = await listening(server)
    onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())))
    const { ask, asked, says, leaves } = await stage({ options: { baseUrl: `https://127.0.0.1:${port}` } })
    const { error, ending } = await ask()
    expect([ending, error?.code]).toEqual(['failed', 'connection'])
    expect(error?.message).toContain('self-signed')
    expect(asked()).toEqual([])
    await says()
    await leaves()
  })

  it.each(['http://127.0.0.1:25', 'http://127.0.0.1:6666', 'ftp://127.0.0.1', 'unix:/run/ollama.sock'])(
    'row 9: %s can never work, and the service does not start',
    (baseUrl) => {
      const start = () => createLlmService({ baseUrl, apiKey: plantedKey })
      const error = thrownBy(start)
      expect(error).toMatchObject({ code: 'config' })
      expect(String(error)).not.toContain(plantedKey)
    },
  )
})

function thrownBy(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}
