import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Milliseconds } from '../../machines/vocabulary.ts'
import { readAsked, type Asked, type AskedOrRefused } from './asked.ts'
import { atEdge, reportMistake } from './edge.ts'
import type { Guard } from './guard.ts'
import { muteMs, type Places } from './places.ts'
import { refuse, refuseSocket, type Refusal } from './refusal.ts'
import { securityHeaders } from './security-headers.ts'

/** A request over HTTP that was let in. */
export interface Visit extends Asked {
  response: ServerResponse
  /** For an answer that takes its time: a place among the served until `leave` is called. undefined: all are taken. */
  takePlace(): { leave(): void } | undefined
  /** A handler of this visit's that something else calls later. A mistake in it ends the visit. */
  later<Given extends unknown[]>(handle: (...given: Given) => void | Promise<void>): (...given: Given) => void
}

export interface VisitOptions {
  guard: Guard
  places: Places
  answer(visit: Visit): void | Promise<void>
}

/** How long a request may take to arrive and to be answered, unless it takes a place. */
export const answerMs: Milliseconds = 30_000

type Expectation = 'nothing' | 'continue' | 'something else'

/** Answers the requests of a server, and refuses what is none. What cannot even be parsed Node answers with a 4xx. */
export function serveVisits(server: Server, { guard, places, answer }: VisitOptions): void {
  function readVisit(request: IncomingMessage, expects: Expectation): AskedOrRefused {
    const read = readAsked(request, guard)
    return read.refusal === undefined && expects === 'something else' ? { refusal: oddExpectation } : read
  }

  function failed(error: unknown, [request, response]: [IncomingMessage, ServerResponse]): void {
    // Whoever leaves in mid-request is no mistake of ours.
    if (request.destroyed && !request.complete) return
    reportMistake(error)
    // An answer that has begun cannot be taken back.
    if (response.headersSent) response.destroy()
    else refuse(response, ownMistake)
  }

  const visited = (expects: Expectation) =>
    atEdge(async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const { socket } = request
      places.wait(socket, answerMs)
      response.on('close', () => places.wait(socket, muteMs))
      response.on('error', () => response.destroy())
      const { asked, refusal } = readVisit(request, expects)
      const headers = securityHeaders(refusal === undefined ? request.headers.host : undefined)
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
      if (refusal !== undefined) {
        response.setHeader('connection', 'close')
        return refuse(response, refusal)
      }
      if (expects === 'continue') response.writeContinue()
      await answer({
        ...asked,
        response,
        takePlace() {
          const leave = places.take(socket)
          if (leave === undefined) return undefined
          return {
            leave() {
              leave()
              places.wait(socket, answerMs)
            },
          }
        },
        later: (handle) => atEdge(handle, (error) => failed(error, [request, response])),
      })
    }, failed)

  server.on('request', visited('nothing'))
  // Without these Node would say "100 Continue" before the guard has looked.
  server.on('checkContinue', visited('continue'))
  server.on('checkExpectation', visited('something else'))
  server.on(
    'connect',
    atEdge(
      (request: IncomingMessage, socket: Duplex) => {
        socket.on('error', () => socket.destroy())
        refuseSocket(socket, readAsked(request, guard).refusal ?? noTunnel)
      },
      (error, [, socket]) => {
        reportMistake(error)
        socket.destroy()
      },
    ),
  )
}

const ownMistake: Refusal = {
  status: 500,
  code: 'internal',
  message: 'the server met a mistake of its own; it warned of it on its standard error',
}
const oddExpectation: Refusal = { status: 417, code: 'bad-input', message: 'expect 100-continue or nothing' }
const noTunnel: Refusal = { status: 405, code: 'bad-input', message: 'this server is no proxy' }
