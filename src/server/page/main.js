import { drawChart, tellTrace, words } from './chart-view.js'
import { createEars } from './ears.js'
import { drawTimeline } from './timeline-view.js'
import { newConversation, take } from './model.js'
import { nextTheme, remembered, showTheme, takeTokenFromAddress } from './remembering.js'
import { createTranscript } from './transcript-view.js'
import { createVoice } from './voice.js'
import { createWire } from './wire.js'

const $ = (id) => document.getElementById(id)
const language = navigator.language || 'en'

const known = new Map()
let lines = []
let charts = null
let current = remembered('conversation') ?? 'default'
let isDue = false

// ------------------------------------------------------------------------------------------------- the server

const token = () => remembered('token')
takeTokenFromAddress()

const wire = createWire({
  token,
  onMessage,
  onState(state, why) {
    $('token-form').hidden = state !== 'refused'
    if (state === 'ready') return
    $('who').dataset.state = 'away'
    $('who').textContent = state === 'refused' ? 'not let in' : 'disconnected'
    if (state === 'refused') notice(why, 'bad')
    else notice('The server is gone. Start it again with colloquy start; this page comes back by itself.', 'bad')
  },
})

function send(message) {
  return wire.send({ conversationId: current, ...message })
}

function onMessage(message) {
  if (message.type === 'hello') return greeted(message)
  if (message.type === 'conversations') {
    lines = message.conversations
    return due()
  }
  if (message.type === 'play' || message.type === 'silence' || message.type === 'pause' || message.type === 'resume')
    return voice?.take(message)
  const { conversationId } = message
  if (conversationId === undefined || message.type === 'prepare' || message.type === 'outcome') return
  if (conversationId === 'wire') return notice(message.message, 'bad')
  take(of(conversationId), message)
  if (conversationId === current) announce(message)
  due()
}

async function greeted({ answering }) {
  const who = $('who')
  who.dataset.state = answering.isLanguageModel ? 'ready' : 'scripted'
  who.textContent = answering.isLanguageModel ? (answering.model ?? 'language model') : 'scripted, no language model'
  notice(answering.notice ?? '', '')
  send({ type: 'open' })
  if (isSpeaking()) takeVoice()
  if (charts !== null) return
  const secret = token()
  const response = await fetch(
    '/charts.json',
    secret === null ? {} : { headers: { authorization: `Bearer ${secret}` } },
  )
  if (response.ok) charts = await response.json()
  due()
}

function of(conversationId) {
  const one = known.get(conversationId) ?? newConversation(conversationId)
  known.set(conversationId, one)
  return one
}

// ----------------------------------------------------------------------------------------- voice and ears

const Recognition = window.SpeechRecognition ?? window.webkitSpeechRecognition
const synthesis = window.speechSynthesis
const voice =
  synthesis === undefined
    ? undefined
    : createVoice({
        synthesis,
        Utterance: window.SpeechSynthesisUtterance,
        language: language.split('-')[0],
        send: (message) => wire.send(message),
      })
const ears =
  Recognition === undefined
    ? undefined
    : createEars({
        Recognition,
        language,
        send,
        voice: voice ?? { isSounding: false, isEcho: () => false },
        wearsHeadphones: () => $('headphones').checked,
        onChange({ isOn, isHearing }) {
          $('listen').setAttribute('aria-pressed', String(isOn))
          $('listen').dataset.hearing = String(isHearing)
          $('headphones-hint').hidden = !isOn
        },
        onTrouble: (trouble) => notice(trouble, 'bad'),
      })

const isSpeaking = () => $('speak').getAttribute('aria-pressed') === 'true'
// Android's pause ends the utterance: it cannot pause.
const takeVoice = () => send({ type: 'take-voice', canPause: !/Android/i.test(navigator.userAgent) })
const dropVoice = () => {
  send({ type: 'drop-voice' })
  voice?.silence()
}

if (ears === undefined) unable($('listen'), 'This browser recognizes no speech')
if (voice === undefined) unable($('speak'), 'This browser has no voice')

function unable(button, why) {
  button.disabled = true
  button.title = why
  button.setAttribute('aria-label', why)
}

$('listen').addEventListener('click', () => {
  if (ears.isOn) return ears.turnOff()
  ears.turnOn()
  if (localStorage.getItem('colloquy.told') === null) {
    localStorage.setItem('colloquy.told', 'yes')
    notice(
      'The microphone is on. Recognition is the browser’s own: some browsers send the sound to their maker for it; this page sends nothing.',
      '',
    )
  }
})
$('speak').addEventListener('click', async () => {
  const next = !isSpeaking()
  $('speak').setAttribute('aria-pressed', String(next))
  if (!next) return dropVoice()
  if (await voice.isAble()) {
    if (isSpeaking()) takeVoice()
    return
  }
  $('speak').setAttribute('aria-pressed', 'false')
  notice(
    'This browser has no voice on this machine. Install one (Linux: speech-dispatcher and espeak-ng; others: in the system’s speech settings), then try again.',
    'bad',
  )
})

// ------------------------------------------------------------------------------------------ what people do

const transcript = createTranscript($('transcript'), { onRetry: retry, onTry: say })

function say(text) {
  if (text.trim() === '') return
  if (!send({ type: 'ask', text })) return
  $('words').value = ''
  $('transcript').scrollTop = $('transcript').scrollHeight
}

function retry() {
  const last = of(current).entries.findLast(({ kind }) => kind === 'caller')
  if (last !== undefined) say(last.text)
}

const isAnswering = () => ['generating', 'responding'].includes(of(current).state)

$('composer').addEventListener('submit', (event) => {
  event.preventDefault()
  if ($('words').value.trim() === '' && isAnswering()) send({ type: 'interrupt' })
  else say($('words').value)
})
$('words').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  say($('words').value)
})
$('words').addEventListener('input', due)
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && isAnswering()) send({ type: 'interrupt' })
  if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
    event.preventDefault()
    step(event.key === 'ArrowDown' ? 1 : -1)
  }
  if (event.key === '/' && document.activeElement === document.body) {
    event.preventDefault()
    $('words').focus()
  }
})
$('new').addEventListener('click', () => {
  const ids = new Set(ids_())
  let number = ids.size + 1
  while (ids.has(`conversation-${number}`)) number += 1
  turnTo(`conversation-${number}`)
  $('words').focus()
})
$('view').addEventListener('click', () => {
  const next = document.body.dataset.view === 'talk' ? 'machine' : 'talk'
  document.body.dataset.view = next
  $('view').setAttribute('aria-pressed', String(next === 'machine'))
})
$('theme').addEventListener('click', nextTheme)
$('token-form').addEventListener('submit', (event) => {
  event.preventDefault()
  sessionStorage.setItem('colloquy.token', $('token').value)
  $('token-form').hidden = true
  notice('', '')
  wire.connect()
})

function ids_() {
  return [...new Set([...lines.map(({ conversationId }) => conversationId), current])]
}

function step(by) {
  const ids = ids_()
  turnTo(ids[(ids.indexOf(current) + by + ids.length) % ids.length])
}

function turnTo(conversationId) {
  if (conversationId === current) return
  const speaks = isSpeaking()
  if (speaks) dropVoice()
  send({ type: 'leave' })
  current = conversationId
  sessionStorage.setItem('colloquy.conversation', current)
  transcript.clear()
  send({ type: 'open' })
  if (speaks) takeVoice()
  due()
}

// ---------------------------------------------------------------------------------------------------- drawing

/** Much may happen at once; it is drawn once a frame. */
function due() {
  if (isDue) return
  isDue = true
  requestAnimationFrame(() => {
    isDue = false
    draw()
  })
}

function draw() {
  const one = of(current)
  transcript.draw(one)
  drawConversations()
  const isIdle = $('words').value.trim() === '' && isAnswering()
  $('send').textContent = isIdle ? 'Stop' : 'Send'
  $('send').dataset.does = isIdle ? 'stop' : 'send'
  if (charts === null) return
  drawOnce('conversation', one.charts.conversation)
  // A reply that is over, or was given up, is at rest.
  const isAlive =
    isAnswering() || (one.charts.conversation?.active ?? []).includes('conversation.detecting.ahead.running')
  drawOnce('reply', isAlive ? one.charts.reply : null)
  drawTimeline($('timeline'), one.moments, one.ending?.timings)
  $('trail').replaceChildren(...one.trail.map((state) => element('li', words(state))))
  $('strip').replaceChildren(
    ...['idle', 'detecting', 'generating', 'responding', 'error'].map((state) =>
      element('span', state, state === one.state ? `active ${state}` : ''),
    ),
  )
}

const shown = {}
function drawOnce(name, at) {
  const looks = JSON.stringify([current, at])
  if (shown[name] === looks) return
  shown[name] = looks
  drawChart($(`${name}-chart`), charts[name], at)
  tellTrace($(`${name}-trace`), charts[name], at)
}

function drawConversations() {
  const told = new Map(lines.map((line) => [line.conversationId, line]))
  const items = ids_().map((id) => {
    const button = document.createElement('button')
    button.type = 'button'
    button.dataset.state = id === current ? of(id).state : (told.get(id)?.state ?? 'idle')
    if (id === current) button.setAttribute('aria-current', 'true')
    button.append(
      element('span', '', 'dot'),
      element('span', id, 'name'),
      element('span', String(told.get(id)?.turns ?? ''), 'turns'),
    )
    button.addEventListener('click', () => turnTo(id))
    const item = document.createElement('li')
    item.append(button)
    return item
  })
  const looks = items.map((item) => item.outerHTML).join('')
  if (shown.conversations === looks) return
  shown.conversations = looks
  const hadFocus = $('conversations').contains(document.activeElement)
  $('conversations').replaceChildren(...items)
  if (hadFocus) $('conversations').querySelector('[aria-current]')?.focus()
}

/** Read out once, when it is whole: words that stream would be read in pieces. */
function announce(message) {
  if (message.type === 'RESPONSE_FINISHED' || message.type === 'RESPONSE_INTERRUPTED')
    $('announcer').textContent = message.heard
  if (message.type === 'ERROR_OCCURRED') $('announcer').textContent = message.message
}

function notice(text, tone) {
  $('notice').hidden = text === ''
  $('notice').className = `notice ${tone}`
  $('notice').textContent = text
}

function element(name, text, className = '') {
  const made = document.createElement(name)
  made.textContent = text
  if (className !== '') made.className = className
  return made
}

showTheme(localStorage.getItem('colloquy.theme') ?? 'auto')
wire.connect()
draw()
$('words').focus()
