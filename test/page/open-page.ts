import { existsSync } from 'node:fs'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'

/** Where Debian puts it; another one may be named. */
const executable = process.env['COLLOQUY_CHROMIUM'] ?? '/usr/bin/chromium'

export const skipsBrowser = process.env['COLLOQUY_SKIP_BROWSER'] === '1'

/** Real Chromium, or a line that says how to get it. */
export async function openBrowser(): Promise<Browser> {
  if (!existsSync(executable))
    throw new Error(
      `there is no Chromium at ${executable}: apt-get install chromium, name one with COLLOQUY_CHROMIUM, or set COLLOQUY_SKIP_BROWSER=1`,
    )
  return chromium.launch({ executablePath: executable, args: ['--no-sandbox', '--disable-gpu'] })
}

export interface OpenPage {
  page: Page
  /** Requests that left for anywhere but the server. */
  strangers: string[]
  /** What the console complained of. */
  complaints: string[]
}

/** A page of its own, watched for requests that leave the machine and for complaints. */
export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<OpenPage> {
  const context = await browser.newContext({ locale: 'en-GB', ...options })
  const page = await context.newPage()
  const strangers: string[] = []
  const complaints: string[] = []
  const { host } = new URL(url)
  page.on('request', (request) => {
    if (new URL(request.url()).host !== host) strangers.push(request.url())
  })
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  return { page, strangers, complaints }
}
