import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import type { Address } from '../backends/address.ts'
import { firstAttemptMs, longerAttempt } from '../backends/connect-attempts.ts'

/** The addresses that a host name stands for. Rejects where there is none, and with the signal's reason. */
export async function resolveHost({ hostname }: Address, signal: AbortSignal): Promise<string[]> {
  signal.throwIfAborted()
  const found = await Promise.race([lookup(hostname, { all: true }), aborted(signal)])
  return found.map(({ address }) => address)
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** Resolves once a TCP connection stands; it is closed again at once. */
export function openSocket({ hostname, port }: Address, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const open = (attemptMs: number) => {
      if (signal.aborted) {
        reject(signal.reason)
        return
      }
      const socket = connect({ host: hostname, port, autoSelectFamilyAttemptTimeout: attemptMs })
      const leave = () => {
        socket.destroy()
        reject(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      socket.once('connect', () => {
        socket.destroy()
        resolve()
      })
      socket.once('error', (error) => {
        const longerMs = longerAttempt(error, attemptMs)
        if (longerMs === undefined) reject(error)
        else open(longerMs)
      })
      socket.once('close', () => signal.removeEventListener('abort', leave))
    }
    open(firstAttemptMs)
  })
}
