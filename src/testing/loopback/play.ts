import type { ServerResponse } from 'node:http'
import type { Step } from './steps.ts'

/** A gate that opens as often as it was released, before or after someone waits at it. */
export interface Gate {
  wait(): Promise<void>
  release(): void
}

export function createGate(): Gate {
  let tickets = 0
  const waiting: (() => void)[] = []
  return {
    wait: () =>
      new Promise((resolve) => {
        if (tickets > 0) {
          tickets -= 1
          resolve()
        } else waiting.push(resolve)
      }),
    release() {
      const next = waiting.shift()
      if (next === undefined) tickets += 1
      else next()
    },
  }
}

/** Plays a body's steps on a response; stops when the client has left. */
export async function play(response: ServerResponse, steps: readonly Step[], gate: Gate): Promise<void> {
  const { socket } = response
  for (const step of steps) {
    if (response.destroyed || socket === null) return
    switch (step.do) {
      case 'send':
        response.write(step.bytes)
        // a piece of its own on the wire, as far as TCP allows
        await soon()
        break
      case 'send-raw':
        socket.write(step.bytes)
        break
      case 'hold':
        await gate.wait()
        break
      case 'end':
        response.end()
        return
      case 'reset':
        await soon()
        socket.resetAndDestroy()
        return
      case 'close':
        socket.end()
        return
      case 'wait':
        return
      case 'repeat':
        repeat(response, step.bytes, step.everyMs)
        return
    }
  }
}

const soon = () => new Promise<void>((resolve) => void setImmediate(resolve))

function repeat(response: ServerResponse, bytes: Uint8Array, everyMs: number | undefined): void {
  if (everyMs !== undefined) {
    const timer = setInterval(() => response.write(bytes), everyMs)
    response.once('close', () => clearInterval(timer))
    return
  }
  const fill = () => {
    if (response.destroyed) return
    if (response.write(bytes)) setImmediate(fill)
    else response.once('drain', fill)
  }
  fill()
}
