import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
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

  it('row 8: a certificate for another name fails at once, and says so', async () => {
    const server = createServer(selfSigned, (socket) => socket.destroy())
    const port = await listening(server)
    onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())))
    // Whom a process trusts beside the usual authorities is settled when it starts.
    const { code, message } = await errorOfTrusting(selfSigned.cert, `https://127.0.0.1:${port}`)
    expect(code).toBe('connection')
    expect(message).toMatch(/TLS with https:\/\/127\.0\.0\.1:\d+ failed: its certificate is for another/u)
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

/** How a turn fails in a process of its own that trusts this certificate. */
async function errorOfTrusting(cert: string, baseUrl: string): Promise<{ code: string; message: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'colloquy-tls-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const trusted = join(folder, 'trusted.pem')
  await writeFile(trusted, cert)
  const index = pathToFileURL(join(process.env['COLLOQUY_COMPILED'] ?? '', 'src/index.js'))
  const program = `
    import { createLlmService } from ${JSON.stringify(index.href)}
    const service = createLlmService({ baseUrl: ${JSON.stringify(baseUrl)}, apiKey: ${JSON.stringify(plantedKey)} })
    const { error } = await service.conversation().ask('what time is it')
    console.log(JSON.stringify(error))
    await service.close()`
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: trusted }
  const args = ['--input-type=module', '--eval', program]
  const { stdout } = await promisify(execFile)(process.execPath, args, { env })
  expect(stdout).not.toContain(plantedKey)
  return z.object({ code: z.string(), message: z.string() }).parse(JSON.parse(stdout))
}
