/**
 * The browser's speech synthesis as the voice of a conversation. It plays what the server hands over and acknowledges
 * what was really said, word by word where the browser tells.
 */
export function createVoice({ synthesis, Utterance, language, send }) {
  /** @type {{ segment: any, conversationId: string, utterance: any } | null} */
  let current = null
  let recent = ''

  function play(conversationId, segment) {
    const utterance = new Utterance(segment.text)
    const mine = { segment, conversationId, utterance }
    const about = { conversationId, replyId: segment.replyId, index: segment.index }
    const tell = (message) => current === mine && send({ ...message, ...about })
    utterance.lang = language
    const voice = ownVoice(synthesis.getVoices(), language)
    if (voice !== undefined) utterance.voice = voice
    utterance.onstart = () => tell({ type: 'started' })
    // A boundary stands before its word: everything up to there has been heard.
    utterance.onboundary = ({ charIndex }) => tell({ type: 'progressed', chars: charIndex })
    utterance.onend = () => {
      tell({ type: 'finished' })
      if (current === mine) current = null
    }
    utterance.onerror = () => {
      tell({ type: 'failed' })
      if (current === mine) current = null
    }
    current = mine
    recent = `${recent} ${segment.text}`.slice(-600)
    synthesis.speak(utterance)
  }

  function silence() {
    // Forgotten first: what the browser says of a cancelled utterance is no news.
    current = null
    synthesis.cancel()
    // A paused synthesis would stay mute for the next reply.
    synthesis.resume()
  }

  const hasOwn = () => synthesis.getVoices().some(({ localService }) => localService)

  return {
    /** Whether there is a voice on this machine. Browsers read their list late, and tell. */
    isAble() {
      if (hasOwn()) return Promise.resolve(true)
      return new Promise((resolve) => {
        const tell = () => {
          clearTimeout(timer)
          resolve(hasOwn())
        }
        const timer = setTimeout(tell, 1_000)
        synthesis.addEventListener('voiceschanged', tell, { once: true })
      })
    },
    take(message) {
      if (message.type === 'play') play(message.conversationId, message.segment)
      else if (message.type === 'silence') {
        if (current?.segment.replyId === message.replyId && current.segment.index === message.index) silence()
      } else if (message.type === 'pause') synthesis.pause()
      else if (message.type === 'resume') synthesis.resume()
    },
    get isSounding() {
      return current !== null
    },
    /** Whether these words are what the loudspeaker has just said. */
    isEcho(text) {
      const heard = folded(text)
      return heard !== '' && folded(recent).includes(heard)
    },
    silence,
  }
}

/** A voice of the browser's own: one from the network would send the words away. */
function ownVoice(voices, language) {
  const own = voices.filter(({ localService }) => localService)
  return own.find(({ lang }) => lang.replace('_', '-').startsWith(language)) ?? own.find((voice) => voice.default)
}

export function folded(text) {
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s]/gu, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
}
