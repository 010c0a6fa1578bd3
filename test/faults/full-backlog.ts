import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { z } from 'zod'

// It listens, and takes nothing: its thread stands still.
const stopped = `
const { parentPort } = require('node:worker_threads')
const server = require('node:net').createServer()
server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  parentPort.postMessage(server.address().port)
  setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))
})`

/** A listener that stands still with a full queue of connections: the next connect goes nowhere. */
export async function fullBacklog(): Promise<{ url: string; close(): Promise<void> }> {
  const worker = new Worker(stopped, { eval: true })
  const [message] = await once(worker, 'message')
  const port = z.number().parse(message)
  const fillers: Socket[] = []
  // a backlog of one holds two; the kernel drops what comes after
  for (let count = 0; count < 2; count++) {
    const socket = connect({ port, host: '127.0.0.1' })
    fillers.push(socket)
    await once(socket, 'connect')
  }
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      for (const socket of fillers) socket.destroy()
      await worker.terminate()
    },
  }
}
