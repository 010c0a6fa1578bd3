import { LlmError } from './contract.ts'

const newline = 10

/** Where a line grows over the limit: memory stays bounded whatever a server sends. */
export function lineTooLong(limitBytes: number, what = 'A line of the reply'): LlmError {
  return new LlmError('protocol', { fault: 'line-too-long', message: `${what} is over ${limitBytes} bytes.` })
}

// what an empty call costs in memory, about
const callBytes = 128

/**
 * Counts what a model writes of function calls, which is kept until the reply ends: in one reply no more than a line may
 * hold, in however many pieces it comes. Throws beyond that.
 */
export function boundCalls(limitBytes: number) {
  let held = 0
  const add = (bytes: number) => {
    held += bytes
    if (held > limitBytes) throw lineTooLong(limitBytes, 'What the model wrote to call functions')
  }
  return {
    begun: () => add(callBytes),
    wrote: (piece: string) => add(piece.length),
  }
}

/**
 * Cuts bytes into lines of text, however they were sliced.
 *
 *     bytes  --{"a"--:1}\n{"b--":2}\n--|
 *     lines  -------{"a":1}---{"b":2}--|
 *
 * Lines are whole before they are decoded, so no UTF-8 sequence is ever split. CR before LF is dropped. Blank lines
 * are not handed on. What stands after the last newline is a line too: `end()` hands it on.
 */
export function splitLines(limitBytes: number, onLine: (line: string) => void) {
  const decoder = new TextDecoder()
  // one buffer that doubles: a line that comes a byte at a time must not cost an object per byte
  let store = new Uint8Array(1_024)
  let held = 0
  const hold = (piece: Uint8Array) => {
    if (held + piece.length > limitBytes) throw lineTooLong(limitBytes)
    if (held + piece.length > store.length) {
      const larger = new Uint8Array(Math.max(store.length * 2, held + piece.length))
      larger.set(store.subarray(0, held))
      store = larger
    }
    store.set(piece, held)
    held += piece.length
  }
  const hand = (bytes: Uint8Array) => {
    const line = decoder.decode(bytes).trim()
    if (line !== '') onLine(line)
  }
  const handHeld = () => {
    const bytes = store.subarray(0, held)
    held = 0
    hand(bytes)
  }
  return {
    feed(bytes: Uint8Array): void {
      let start = 0
      for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, start)) {
        if (held > 0 || at - start > limitBytes) {
          hold(bytes.subarray(start, at))
          handHeld()
        } else {
          hand(bytes.subarray(start, at))
        }
        start = at + 1
      }
      if (start < bytes.length) hold(bytes.subarray(start))
    },
    end: handHeld,
  }
}
