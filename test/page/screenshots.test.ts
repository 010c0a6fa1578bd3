import { expect, test } from 'vitest'
import { handBackend } from './hand-backend.ts'
import { openBrowser, openPage } from './open-page.ts'
import { servePage } from './serve-page.ts'
import { stubSpeech } from './speech-stubs.ts'

const shots = [1280, 390].flatMap((width) => (['light', 'dark'] as const).map((scheme) => ({ width, scheme })))

/** `COLLOQUY_SCREENSHOTS=docs/images npx vitest run test/page/screenshots.test.ts` takes them anew. */
const folder = process.env['COLLOQUY_SCREENSHOTS']

/** The arc of the last transition is drawn out once it has been shown. */
const drawnOut =
  'Promise.all(document.getAnimations().filter((one) => one.animationName === "trace").map((one) => one.finished))'

test.skipIf(folder === undefined).each(shots)('$width wide, $scheme', async ({ width, scheme }) => {
  const backend = handBackend()
  const served = await servePage([], { backend })
  const browser = await openBrowser()
  const viewport = { width, height: width === 390 ? 844 : 880 }
  const { page } = await openPage(browser, served.url, { viewport, colorScheme: scheme, deviceScaleFactor: 2 })
  await stubSpeech(page)
  await page.goto(served.url)
  await page.locator('#transcript .welcome').waitFor()
  const until = async (code: string) => {
    await expect.poll(() => page.evaluate(`Boolean(${code})`), { timeout: 10_000 }).toBe(true)
  }
  const ask = async (text: string, reply: string) => {
    const asked = backend.asked()
    await page.fill('#words', text)
    await page.keyboard.press('Enter')
    await asked
    backend.write(reply)
  }
  await page.click('#speak')
  await page.click('#listen')
  await page.evaluate("document.getElementById('notice').hidden = true")
  await ask('When is high water today?', 'High water is at ten past three this afternoon. It will be a spring tide.')
  backend.end()
  for (const part of ['High', 'It']) {
    await until(`speechSynthesis.current?.text.startsWith('${part}')`)
    await page.evaluate('hear.out()')
  }
  await page.locator('#strip .active', { hasText: 'idle' }).waitFor({ state: 'attached' })
  await ask(
    'Tell me about spring tides.',
    'When the sun and the moon pull in one line, the water rises higher than usual. Twice a month',
  )
  await until('speechSynthesis.current')
  await page.evaluate("hear.upTo('water rises') ?? hear.upTo('pull')")
  const asked = backend.asked()
  await page.evaluate("say.starts(); say.words('wait, do I need to move the boat?', true); say.ends()")
  await asked
  backend.write('Yes, I would move it before noon. The berth by the harbour wall stays dry, and the rope there is long')
  await until("speechSynthesis.current?.text.startsWith('Yes')")
  await page.evaluate("hear.upTo('noon') ?? 0")
  await page.locator('.entry.assistant .heard', { hasText: /^Yes, I would/ }).waitFor()
  await page.evaluate(drawnOut)
  await page.screenshot({ path: `${folder}/start-${width}-${scheme}.png` })
  if (width === 390) {
    await page.click('#view')
    await page.evaluate(drawnOut)
    await page.screenshot({ path: `${folder}/start-${width}-${scheme}-machine.png` })
  }
  await browser.close()
  await served.close()
})
