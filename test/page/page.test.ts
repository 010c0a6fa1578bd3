import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openBrowser, openPage, skipsBrowser, type OpenPage } from './open-page.ts'
import { z } from 'zod'
import { handBackend } from './hand-backend.ts'
import { servePage, type Served } from './serve-page.ts'
import { stubSpeech } from './speech-stubs.ts'

const long = 'The tide turns at noon today. Then the boats go out again. They come back at dusk with fish.'

const patience = { timeout: 15_000 }

describe.skipIf(skipsBrowser)('the page of colloquy start, in real Chromium', () => {
  let browser: Browser
  let served: Served
  let open: OpenPage

  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(async () => {
    await browser?.close()
  })
  afterEach(async () => {
    expect(open.strangers, 'no request leaves the machine').toEqual([])
    expect(open.complaints).toEqual([])
    await open.page.context().close()
    await served.close()
  })

  async function visit(...given: Parameters<typeof servePage>): Promise<Page> {
    served = await servePage(...given)
    open = await openPage(browser, served.url)
    await stubSpeech(open.page)
    await open.page.goto(served.url)
    await open.page.locator('#conversation-chart svg').waitFor()
    return open.page
  }

  const type = async (page: Page, text: string) => {
    await page.fill('#words', text)
    await page.keyboard.press('Enter')
  }
  const isIn = (page: Page, state: string) => page.locator(`#conversation-chart .state.${state}.active`).waitFor()
  const run = (page: Page, code: string) => page.evaluate(code)
  // Not waitForFunction: the page's policy forbids what it does.
  const until = async (page: Page, code: string) => {
    await expect.poll(() => page.evaluate(`Boolean(${code})`), patience).toBe(true)
  }
  const history = async (page: Page) => {
    const told = await page.evaluate(async () => (await fetch('/conversations/default/history')).text())
    return z.object({ history: z.array(z.looseObject({})) }).parse(JSON.parse(told)).history
  }

  test('a typed turn is answered as it streams, and the charts, the trail and the timeline show it', async () => {
    const backend = handBackend()
    const page = await visit([], { backend })
    await page.getByRole('textbox').focus()
    const asked = backend.asked()
    await type(page, 'When does the tide turn?')
    await isIn(page, 'generating')
    await page.locator('.entry.assistant .waiting').waitFor()
    await asked
    backend.write('The tide turns at noon today. Then the')
    await isIn(page, 'responding')
    await page.locator('.entry.assistant .heard', { hasText: /^The tide turns at noon today\.$/ }).waitFor()
    await page.locator('.entry.assistant .coming', { hasText: /^ Then the$/ }).waitFor()
    await page.locator('#reply-chart .state.attempting.active').waitFor()
    await page.locator('#reply-chart .chip.active', { hasText: 'streaming' }).waitFor()
    backend.write(' boats go out again. They come back at dusk with fish.')
    backend.end()
    await isIn(page, 'idle')
    expect(await page.locator('.entry.assistant .heard').innerText()).toBe(long)
    expect(await page.locator('#trail li').allInnerTexts()).toEqual([
      'idle',
      'detecting',
      'generating',
      'responding',
      'idle',
    ])
    expect(await page.locator('#conversation-trace').innerText()).toContain('→ idle')
    for (const station of ['turn', 'queue', 'token', 'segment'])
      expect(await page.locator(`[data-station=${station}]`).innerText(), station).toMatch(/\d (ms|s)$/)
    expect(await page.locator('[data-station=sound]').innerText()).toBe('–')
  })

  test('talking: the caller is shown while speaking, the reply is spoken aloud and shown as it is heard', async () => {
    const page = await visit([{ text: long, perTokenMs: 1 }])
    await page.click('#speak')
    await page.click('#listen')
    await run(page, 'say.starts(); say.words("when does", false)')
    await page.locator('.entry.caller.partial', { hasText: 'when does' }).waitFor()
    await isIn(page, 'detecting')
    await run(page, 'say.words("when does the tide turn", true); say.ends()')
    await until(page, 'speechSynthesis.current !== null')
    await run(page, 'hear.upTo("noon")')
    await page.locator('.entry.assistant .heard', { hasText: /^The tide turns at $/ }).waitFor()
    expect(await page.locator('.entry.assistant .coming').innerText()).toContain('noon today.')
    expect(await page.locator('[data-station=sound]').innerText()).toMatch(/\d (ms|s)$/)
    for (let at = 0; at < 12 && (await page.locator('.state.idle.active').count()) === 0; at += 1) {
      await until(page, 'speechSynthesis.current !== null || document.querySelector(".state.idle.active")')
      await run(page, 'speechSynthesis.current && hear.out()')
    }
    await isIn(page, 'idle')
    expect((await history(page)).at(-1)).toMatchObject({ role: 'assistant', text: long })
  })

  test('a reply begun ahead of its turn shows its words and its times in the turn', async () => {
    const backend = handBackend()
    const page = await visit([], { backend })
    await page.click('#speak')
    await page.click('#listen')
    const asked = backend.asked()
    await run(page, 'say.starts(); say.words("when does the tide turn", true)')
    await asked
    backend.write('At noon today, as every')
    await run(page, 'say.ends()')
    await page.locator('.entry.assistant .coming', { hasText: 'At noon today, as every' }).waitFor()
    expect(await page.locator('[data-station=token]').innerText()).toMatch(/\d (ms|s)$/)
    await page.keyboard.press('Escape')
    await isIn(page, 'idle')
  })

  test('a barge-in silences the voice, and history keeps what was heard', async () => {
    const page = await visit([{ text: long, perTokenMs: 1 }, { text: 'Of course.' }])
    await page.click('#speak')
    await page.click('#listen')
    await type(page, 'Tell me about the tide')
    await until(page, 'speechSynthesis.current !== null')
    await run(page, 'hear.upTo("noon")')
    await run(page, 'say.starts(); say.words("something else please", true); say.ends()')
    await until(page, 'speechSynthesis.log.includes("cancel")')
    await page.locator('.entry .mark', { hasText: 'interrupted' }).waitFor()
    expect(await page.locator('.entry.assistant .heard').first().innerText()).toBe('The tide turns at')
    expect(await page.locator('.entry.assistant .lost').first().innerText()).toContain('noon today')
    await page.locator('.entry.caller', { hasText: 'something else please' }).waitFor()
    await until(page, 'speechSynthesis.current?.text === "Of course."')
    await run(page, 'hear.out()')
    await isIn(page, 'idle')
    expect(await history(page)).toMatchObject([
      { role: 'user', text: 'Tell me about the tide' },
      { role: 'assistant', text: 'The tide turns at', interrupted: true },
      { role: 'user', text: 'something else please' },
      { role: 'assistant', text: 'Of course.' },
    ])
    await page.reload()
    await page.locator('.entry .mark', { hasText: 'interrupted' }).waitFor()
    expect(await page.locator('.entry').count()).toBe(4)
  })

  test('with headphones a sound without words pauses the voice, and an own word the loudspeaker says is no barge-in', async () => {
    const page = await visit([{ text: long, perTokenMs: 1 }])
    await page.click('#speak')
    await page.click('#listen')
    await type(page, 'Tell me about the tide')
    await until(page, 'speechSynthesis.current !== null')
    await run(page, 'say.starts(); say.words("the tide turns", true)')
    await page.check('#headphones')
    await run(page, 'say.ends(); say.starts()')
    await until(page, 'speechSynthesis.log.includes("pause")')
    await page.locator('#conversation-chart .chip.active', { hasText: 'paused' }).waitFor()
    await run(page, 'say.words("mm-hmm", true); say.ends()')
    await until(page, 'speechSynthesis.log.includes("resume")')
    expect(await page.locator('.entry.caller').count()).toBe(1)
    await page.keyboard.press('Escape')
    await isIn(page, 'idle')
  })

  test('conversations are switched by keyboard, and each keeps its own words', async () => {
    const page = await visit([{ text: 'Yes.' }])
    await type(page, 'One')
    await page.locator('.entry.assistant .heard', { hasText: 'Yes.' }).waitFor()
    await page.getByRole('button', { name: 'New conversation' }).click()
    await page.locator('.welcome').waitFor()
    await type(page, 'Two')
    await page.locator('.entry.caller', { hasText: 'Two' }).waitFor()
    await page.keyboard.press('Alt+ArrowUp')
    await page.locator('.entry.caller', { hasText: 'One' }).waitFor()
    expect(await page.locator('#conversations button[aria-current]').innerText()).toContain('default')
    expect(await page.locator('.entry.caller').count()).toBe(1)
  })

  test('a failure says what to do next, and Ask again asks again', async () => {
    const page = await visit([
      { fault: { kind: 'http', status: 500 } },
      { fault: { kind: 'http', status: 500 } },
      { text: 'Here I am.' },
    ])
    await type(page, 'Are you there?')
    const failure = page.locator('.entry.failure')
    await failure.waitFor()
    expect(await failure.innerText()).toContain('Look at the log of the model server')
    await failure.getByRole('button', { name: 'Ask again' }).click()
    await page.locator('.entry.assistant .heard', { hasText: 'Here I am.' }).waitFor()
  })

  test('the page fits a phone without scrolling sideways', async () => {
    const page = await visit([{ text: long }])
    await page.setViewportSize({ width: 390, height: 844 })
    await type(page, 'Hello')
    await page.locator('.entry.assistant .heard').waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390)
    await page.click('#view')
    await page.locator('#timeline .timeline').waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390)
  })
})
