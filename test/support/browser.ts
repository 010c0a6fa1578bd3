import { existsSync } from 'node:fs'
import { chromium, type Browser, type Page } from 'playwright-core'

const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'

/** Where it is missing, tests with a browser are skipped. */
export const hasBrowser = existsSync(executablePath)

/** The system's Chromium, headless. Close it when done. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] })
}

export interface WatchedPage {
  page: Page
  /** Console errors, page errors, failed requests and breaches of the content security policy: should stay empty. */
  complaints: string[]
  /** Every address that was asked for. */
  requests: string[]
  close(): Promise<void>
}

/** A page of its own, at a width and in a colour scheme, that notes whatever goes wrong in it. */
export async function openPage(
  browser: Browser,
  url: string,
  {
    width = 1280,
    height = 800,
    colorScheme = 'light',
  }: { width?: number; height?: number; colorScheme?: 'light' | 'dark' } = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce' })
  const page = await context.newPage()
  const complaints: string[] = []
  const requests: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`))
  page.on('request', (request) => requests.push(request.url()))
  await page.goto(url)
  return { page, complaints, requests, close: () => context.close() }
}
