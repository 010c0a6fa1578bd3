import type { Page } from 'playwright-core'

/** Speech recognition and synthesis that do as the test says; put in place before the page's own scripts run. */
export async function stubSpeech(page: Page): Promise<void> {
  await page.addInitScript({
    content: `
      window.spoken = []
      window.recognizer = null
      window.SpeechRecognition = window.webkitSpeechRecognition = class {
        start() { window.recognizer = this }
        stop() { this.onend?.() }
      }
      window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text } }
      const synthesis = {
        current: null,
        isPaused: false,
        log: [],
        getVoices: () => [{ lang: 'en-GB', localService: true, name: 'stub' }],
        speak(utterance) { this.current = utterance; this.log.push('speak ' + utterance.text); utterance.onstart?.({}) },
        cancel() { const cut = this.current; this.current = null; this.log.push('cancel'); cut?.onerror?.({ error: 'canceled' }) },
        pause() { this.isPaused = true; this.log.push('pause') },
        resume() { if (this.isPaused) this.log.push('resume'); this.isPaused = false },
        addEventListener() {},
      }
      Object.defineProperty(window, 'speechSynthesis', { value: synthesis })
      window.say = {
        starts: () => window.recognizer.onspeechstart?.({}),
        ends: () => window.recognizer.onspeechend?.({}),
        words: (transcript, isFinal) =>
          window.recognizer.onresult?.({ resultIndex: 0, results: [Object.assign([{ transcript }], { isFinal })] }),
        session: () => window.recognizer.onend?.({}),
      }
      window.hear = {
        upTo: (word) => { const it = synthesis.current; it.onboundary?.({ charIndex: it.text.indexOf(word) }) },
        out: () => { const it = synthesis.current; synthesis.current = null; it.onend?.({}) },
      }
    `,
  })
}
