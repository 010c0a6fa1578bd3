import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLlmService } from '../../src/index.ts'
import { scriptedResponder } from '../../src/server/scripted-responder.ts'
import { startServer, type ServerOptions } from '../../src/server/start-server.ts'
import { openBrowser, openPage, skipsBrowser } from './open-page.ts'

describe.skipIf(skipsBrowser)('the page and its server', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(async () => {
    await browser?.close()
  })

  async function serve(options: Partial<ServerOptions> = {}) {
    const service = createLlmService({ backend: scriptedResponder({ perWordMs: 1 }) })
    const notice = 'This is not a language model. Start Ollama.'
    const answering = { kind: 'scripted', isLanguageModel: false, notice } as const
    return { service, server: await startServer({ service, answering, port: 0, ...options }) }
  }

  test('a scripted responder is called what it is, and what to do is said', async () => {
    const { service, server } = await serve()
    const { page } = await openPage(browser, server.url)
    await page.goto(server.url)
    await page.locator('#notice', { hasText: 'Start Ollama' }).waitFor()
    expect(await page.locator('#who').innerText()).toMatch(/no language model/)
    await page.getByRole('button', { name: 'What is 12 times 7?' }).click()
    await page.locator('.entry.assistant .heard', { hasText: 'That is 84.' }).waitFor()
    await page.context().close()
    await server.close()
    await service.close()
  })

  test('a server that goes is missed, and one that comes back is found with its conversation', async () => {
    const { service, server } = await serve()
    const { page } = await openPage(browser, server.url)
    await page.goto(server.url)
    await page.fill('#words', 'hello')
    await page.keyboard.press('Enter')
    await page.locator('.entry.assistant .heard', { hasText: 'Hello' }).waitFor()
    await server.close()
    await page.locator('#notice', { hasText: 'The server is gone' }).waitFor()
    const again = await startServer({
      service,
      port: server.port,
      answering: { kind: 'configured', model: 'm', isLanguageModel: true },
    })
    await page.locator('#who[data-state=ready]').waitFor()
    await page.locator('#notice').waitFor({ state: 'hidden' })
    expect(await page.locator('.entry').count()).toBe(2)
    await page.context().close()
    await again.close()
    await service.close()
  })

  test('the token comes behind the #, leaves the address at once, and is asked for where it is missing', async () => {
    const { service, server } = await serve({ token: 'a-rather-long-token' })
    const { page } = await openPage(browser, server.url)
    await page.goto(server.url)
    await page.locator('#who[data-state=scripted]').waitFor()
    await page.locator('#conversation-chart svg').waitFor()
    expect(page.url()).not.toContain('token')
    await page.context().close()
    const stranger = await openPage(browser, server.url)
    await stranger.page.goto(`http://127.0.0.1:${server.port}/`)
    await stranger.page.getByLabel('This server asks for its token.').fill('a-rather-long-token')
    await stranger.page.keyboard.press('Enter')
    await stranger.page.locator('#who[data-state=scripted]').waitFor()
    await stranger.page.context().close()
    await server.close()
    await service.close()
  })

  test('a browser without a voice of its own says so and speaks through nobody else', async () => {
    const { service, server } = await serve()
    const { page } = await openPage(browser, server.url)
    await page.addInitScript({ content: 'speechSynthesis.getVoices = () => [{ lang: "en", localService: false }]' })
    await page.goto(server.url)
    await page.locator('#who[data-state=scripted]').waitFor()
    await page.click('#speak')
    await page.locator('#notice', { hasText: 'no voice on this machine' }).waitFor()
    expect(await page.locator('#speak').getAttribute('aria-pressed')).toBe('false')
    await page.context().close()
    await server.close()
    await service.close()
  })

  test('everything can be done by keyboard, and what has the focus is seen', async () => {
    const { service, server } = await serve()
    const { page } = await openPage(browser, server.url)
    await page.goto(server.url)
    await page.locator('#conversations button').waitFor()
    const reached = new Set<string>()
    for (let at = 0; at < 14; at += 1) {
      await page.keyboard.press('Tab')
      reached.add(String(await page.evaluate('document.activeElement?.id ?? String()')))
    }
    for (const id of ['theme', 'new', 'transcript', 'words', 'speak', 'send']) expect(reached, id).toContain(id)
    await page.locator('#theme').focus()
    await page.keyboard.press('Enter')
    await page.keyboard.press('Enter')
    expect(await page.locator('html').getAttribute('data-theme')).toBe('dark')
    await page.context().close()
    await server.close()
    await service.close()
  })
})
