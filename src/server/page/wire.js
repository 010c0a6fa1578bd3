/** The one WebSocket of the page: says hello, comes back by itself, and never sends what is older than the connection. */

const longestPauseMs = 5_000

/**
 * @param {{ token: () => string | null, onMessage: (message: any) => void, onState: (state: 'ready' | 'away' | 'refused', why: string) => void }} options
 */
export function createWire({ token, onMessage, onState }) {
  /** @type {WebSocket | null} */
  let socket = null
  let pauseMs = 400
  let isClosed = false

  function connect() {
    const own = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`)
    socket = own
    own.addEventListener('open', () => {
      const secret = token()
      own.send(JSON.stringify({ type: 'hello', v: 1, ...(secret === null ? {} : { token: secret }) }))
    })
    own.addEventListener('message', ({ data }) => {
      const message = JSON.parse(data)
      if (message.type === 'hello') {
        pauseMs = 400
        onState('ready', '')
      }
      onMessage(message)
    })
    own.addEventListener('close', ({ code, reason }) => {
      if (socket === own) socket = null
      if (isClosed) return
      if (code === 4401 || code === 4426) return onState('refused', reason)
      onState('away', '')
      setTimeout(connect, pauseMs)
      pauseMs = Math.min(longestPauseMs, pauseMs * 1.6)
    })
  }

  return {
    connect,
    /** @param {object} message @returns {boolean} false: nobody is there to hear it. */
    send(message) {
      if (socket?.readyState !== WebSocket.OPEN) return false
      socket.send(JSON.stringify(message))
      return true
    },
    close() {
      isClosed = true
      socket?.close()
    },
  }
}
