import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInspector } from '../../src/inspection/index.ts'
import { hasBrowser, openBrowser, openPage } from '../support/browser.ts'
import { talkingService } from './two-conversations.ts'

describe.skipIf(!hasBrowser)('the page of the inspector, in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await openBrowser()
  }, 60_000)
  afterAll(() => browser.close())

  async function open(options: { colorScheme?: 'light' | 'dark' } = {}) {
    const inspector = await startInspector()
    const service = talkingService({ inspect: inspector.inspect })
    const watched = await openPage(browser, inspector.url, options)
    const { page } = watched
    const tree = page.getByRole('tree')
    return {
      ...service,
      ...watched,
      inspector,
      tree,
      choose: (name: string) => tree.getByText(name, { exact: true }).first().click(),
      /** Waits until this state is lit. */
      lit: (id: string) => page.locator(`#chart .state.active[data-id="${id}"]`).waitFor(),
      async end() {
        await watched.close()
        await service.service.close()
        await inspector.close()
      },
    }
  }

  it('two conversations are followed, each with its own states lit, and nothing is asked of elsewhere', async () => {
    const { clock, conversation, page, tree, choose, lit, inspector, requests, complaints, end } = await open()
    await page.getByText('Nothing is alive yet').waitFor()
    const [kitchen, hall] = [conversation('kitchen'), conversation('hall')]
    await tree.getByText('kitchen', { exact: true }).waitFor()
    await lit('conversation.idle')

    void kitchen.ask('switch on the kitchen light')
    await clock.advanceTo(100)
    await lit('conversation.generating.flowing')
    await page.locator('#trace', { hasText: 'CALLER_TYPED:  idle → detecting' }).waitFor()
    await clock.advanceTo(700)
    await lit('conversation.responding')
    await choose('reply-1')
    await lit('reply.standing.heard')

    void hall.ask('is the front door locked')
    await clock.advanceTo(800)
    await choose('hall')
    await lit('conversation.generating.flowing')
    await clock.runUntilIdle()
    await lit('conversation.idle')
    await tree.getByRole('treeitem', { name: /^hall\s*idle$/u }).waitFor()
    await tree.getByRole('treeitem', { name: /^kitchen\s*idle$/u }).waitFor()

    expect(requests.every((address) => new URL(address).host === new URL(inspector.url).host)).toBe(true)
    expect(complaints).toEqual([])
    await end()
  })

  it('events are listed with their times and payloads, and can be filtered', async () => {
    const { clock, conversation, page, choose, complaints, end } = await open()
    void conversation('kitchen').ask('switch on the kitchen light')
    void conversation('hall').ask('is the front door locked')
    await clock.runUntilIdle()
    const rows = page.locator('#entries .row')
    await page.keyboard.press('/')
    await page.keyboard.type('caller_typed')
    await expect.poll(() => rows.count()).toBe(2)
    const row = rows.filter({ hasText: 'kitchen' })
    expect(await row.locator('time').textContent()).toMatch(/^\d\d:\d\d\.\d\d\d$/u)
    await row.locator('summary').click()
    await row.getByText('"switch on the kitchen light"').waitFor()
    await choose('hall')
    await page.getByLabel('chosen only').check()
    await expect.poll(() => rows.count()).toBe(1)
    expect(complaints).toEqual([])
    await end()
  })

  it('the keyboard alone reaches every actor, and a state tells its transitions', async () => {
    const { clock, conversation, page, complaints, end } = await open()
    void conversation('kitchen').ask('switch on the kitchen light')
    await clock.advanceTo(100)
    conversation('hall')
    const title = page.locator('#chosen-title')
    const chosen = async (name: string) => {
      await expect.poll(() => title.textContent()).toBe(name)
    }
    await chosen('kitchen')
    await page.getByRole('treeitem', { name: 'kitchen' }).first().focus()
    await page.keyboard.press('ArrowRight')
    await chosen('reply-1')
    await page.keyboard.press('ArrowLeft')
    await chosen('kitchen')
    await page.keyboard.press('End')
    await chosen('hall')
    await page.keyboard.press('Home')
    await chosen('kitchen')
    await page.locator('[data-id="conversation.generating"]').focus()
    await page.locator('#state-note').getByText('no segment has reached the sink').waitFor()
    await page.locator('#state-note li', { hasText: 'REPLY_FAILED if isFromReply → error' }).waitFor()
    await page.keyboard.press('Escape')
    await page.locator('#state-note').waitFor({ state: 'hidden' })
    expect(complaints).toEqual([])
    await end()
  })

  it('a page that loses the inspector says so, and a reader who comes later sees what was', async () => {
    const { clock, conversation, page, inspector, end } = await open()
    void conversation('kitchen').ask('switch on the kitchen light')
    await clock.runUntilIdle()
    const late = await openPage(browser, inspector.url)
    await late.page.getByLabel('ended too').check()
    await late.page.getByRole('tree').getByText('reply-1').waitFor()
    await inspector.close()
    await page.getByText('not connected, trying again').waitFor()
    await late.close()
    await end()
  })

  it.each(['light', 'dark'] as const)('looks as it should, %s', async (colorScheme) => {
    const { clock, conversation, page, choose, lit, complaints, end } = await open({ colorScheme })
    void conversation('kitchen').ask('switch on the kitchen light')
    await clock.advanceTo(1_200)
    void conversation('hall').ask('is the front door locked')
    await clock.advanceTo(1_350)
    await choose(colorScheme === 'light' ? 'kitchen' : 'hall')
    await lit(colorScheme === 'light' ? 'conversation.responding' : 'conversation.generating')
    // Nothing sticks out to the side.
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    const folder = process.env['SCREENSHOTS']
    if (folder !== undefined) await page.screenshot({ path: `${folder}/inspector-${colorScheme}.png` })
    await page.setViewportSize({ width: 390, height: 844 })
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    expect(complaints).toEqual([])
    await end()
  })
})
