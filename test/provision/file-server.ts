import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

export interface FileServer {
  url: string
  /** The Range header of each request, '' where there was none. */
  ranges: string[]
  close(): Promise<void>
}

type Answer = (request: IncomingMessage, response: ServerResponse, at: number) => void

/** A server on a real socket that answers every request by `answer`; `at` counts them from 0. */
export async function fileServer(answer: Answer): Promise<FileServer> {
  const ranges: string[] = []
  const server = createServer((request, response) => {
    ranges.push(request.headers.range ?? '')
    answer(request, response, ranges.length - 1)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return { url: `http://127.0.0.1:${port}`, ranges, close: () => closed(server) }
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

/** Serves bytes as a good server does: whole, or the part that is asked for. */
export function serve(bytes: Buffer, request: IncomingMessage, response: ServerResponse): void {
  const from = Number(/^bytes=(\d+)-$/u.exec(request.headers.range ?? '')?.[1] ?? 0)
  if (from >= bytes.length) {
    response.writeHead(416).end()
    return
  }
  const part = bytes.subarray(from)
  const range = { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': part.length, ...(from > 0 ? range : {}) }).end(part)
}

/** Sends the beginning and breaks the connection. */
export function breakOff(bytes: Buffer, after: number, response: ServerResponse): void {
  response.writeHead(200, { 'content-length': bytes.length })
  response.write(bytes.subarray(0, after), () => response.destroy())
}
