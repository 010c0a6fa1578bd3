import { PassThrough } from 'node:stream'
import { Printer, type Terminal, type TextStream } from '../../src/cli/terminal.ts'

export interface FakeTerminal extends Terminal {
  input: PassThrough & { isTTY?: boolean }
  /** Everything printed to stdout and stderr so far. */
  readonly printed: string
  readonly complained: string
  /** Ctrl-C. */
  interrupt(): void
  /** Resolves once `text` stands on stdout. */
  shows(text: string): Promise<void>
}

export interface FakeTerminalOptions {
  environment?: Record<string, string>
  folder?: string
  /** Lines that are piped in, then the end. */
  piped?: readonly string[]
  isTTY?: boolean
}

/** A terminal in memory. Without `isTTY` it is a pipe. */
export function fakeTerminal({ environment = {}, folder = '/', piped, isTTY }: FakeTerminalOptions = {}): FakeTerminal {
  const out = recorder(isTTY)
  const err = recorder(isTTY)
  const interrupts = new Set<() => void>()
  const input: PassThrough & { isTTY?: boolean } = new PassThrough()
  if (isTTY !== undefined) input.isTTY = isTTY
  if (piped !== undefined) input.end(piped.map((line) => `${line}\n`).join(''))
  return {
    input,
    output: out.printer,
    errors: err.printer,
    environment,
    folder,
    onInterrupt(run) {
      interrupts.add(run)
      return () => interrupts.delete(run)
    },
    get printed() {
      return out.text()
    },
    get complained() {
      return err.text()
    },
    interrupt: () => interrupts.forEach((run) => run()),
    shows: out.shows,
  }
}

function recorder(isTTY: boolean | undefined) {
  let written = ''
  const waiting = new Set<{ text: string; resolve: () => void }>()
  const stream: TextStream = {
    write(text) {
      written += text
      for (const one of waiting) {
        if (!written.includes(one.text)) continue
        waiting.delete(one)
        one.resolve()
      }
    },
    ...(isTTY === undefined ? {} : { isTTY }),
  }
  return {
    printer: new Printer(stream),
    text: () => written,
    shows: (text: string) =>
      new Promise<void>((resolve) => {
        if (written.includes(text)) resolve()
        else waiting.add({ text, resolve })
      }),
  }
}
