/**
 * The browser's speech recognition as the ears of a conversation: one session an utterance, begun anew as long as the
 * microphone is on, since only then does the browser tell when speech starts and ends.
 *
 * Without headphones the microphone hears the loudspeaker. While the assistant sounds, voice counts only once its words
 * are known not to be the assistant's own.
 */
export function createEars({ Recognition, language, send, voice, wearsHeadphones, onChange, onTrouble }) {
  /** @type {any} */
  let session = null
  let isOn = false
  let isVoiceOpen = false
  let isVoiceTold = false

  const isDoubtful = () => voice.isSounding && !wearsHeadphones()

  function tellVoice() {
    if (isVoiceTold) return
    isVoiceTold = true
    send({ type: 'SPEECH_STARTED' })
  }

  function voiceStarted() {
    isVoiceOpen = true
    if (!isDoubtful()) tellVoice()
    onChange({ isOn, isHearing: true })
  }

  function voiceEnded() {
    if (isVoiceTold) send({ type: 'SPEECH_ENDED' })
    isVoiceOpen = false
    isVoiceTold = false
    onChange({ isOn, isHearing: false })
  }

  function results(event) {
    let partial = ''
    for (let at = event.resultIndex; at < event.results.length; at += 1) {
      const result = event.results[at]
      const text = result[0].transcript.trim()
      if (text === '') continue
      if (isDoubtful() && voice.isEcho(text)) continue
      if (isVoiceOpen) tellVoice()
      if (result.isFinal) send({ type: 'SPEECH_DETECTED', text })
      else partial = `${partial} ${text}`.trim()
    }
    if (partial !== '') send({ type: 'SPEECH_PARTIAL', text: partial })
  }

  function open() {
    const own = new Recognition()
    session = own
    own.lang = language
    own.continuous = false
    own.interimResults = true
    own.onspeechstart = voiceStarted
    own.onspeechend = voiceEnded
    own.onresult = results
    own.onerror = ({ error }) => {
      const trouble = troubles[error]
      if (trouble === undefined) return
      isOn = false
      onTrouble(trouble)
    }
    own.onend = () => {
      if (isVoiceOpen) voiceEnded()
      if (session === own) session = null
      if (isOn) open()
      else onChange({ isOn, isHearing: false })
    }
    own.start()
  }

  return {
    get isOn() {
      return isOn
    },
    turnOn() {
      if (isOn) return
      isOn = true
      onChange({ isOn, isHearing: false })
      if (session === null) open()
    },
    turnOff() {
      isOn = false
      session?.stop()
      onChange({ isOn, isHearing: false })
    },
  }
}

/** What ends the listening; silence and the like do not. */
const troubles = {
  'not-allowed':
    'The browser does not let this page use the microphone. Allow it in the address bar, then turn it on again.',
  'service-not-allowed': 'This browser does not let pages recognize speech. Type instead, or use another browser.',
  'audio-capture': 'No microphone was found. Connect one, then turn it on again.',
  network: 'The speech recognition of this browser needs a network and has none. Type instead.',
  'language-not-supported': 'This browser does not recognize the language of this page. Type instead.',
}
