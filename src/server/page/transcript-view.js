import { partsOf } from './model.js'

/** What to do about a failure, by its code; the message itself says what is wrong. */
const nextSteps = {
  connection: 'Start the model server again (ollama serve); the next turn looks for it anew.',
  timeout: 'Ask again. A model that is being read in takes longer the first time.',
  'model-missing': 'Pull the model (ollama pull NAME), or start with another: colloquy start --model NAME.',
  auth: 'Set the key with COLLOQUY_API_KEY and start again.',
  overloaded: 'Wait a moment and ask again.',
  'context-overflow': 'Begin a new conversation, or say less at once.',
  'content-filter': 'Put it another way.',
  'empty-reply': 'Ask again, or try another model.',
  http: 'Look at the log of the model server, then ask again.',
  protocol: 'Check that the address is that of a model server: colloquy doctor looks at it.',
  internal: 'This is a mistake of colloquy itself; begin a new conversation.',
  sink: 'Turn the voice off and on again; the text goes on without it.',
  'sink-stalled': 'Turn the voice off and on again; the text goes on without it.',
  'bad-input': 'Change what was sent and try again.',
  config: 'Correct the setting and start again.',
}
const delays = {
  loading: 'the model is being read in',
  queued: 'waiting for a free slot',
  fallback: 'another model takes over',
  tool: 'looking something up',
}
const cuts = { 'barge-in': 'interrupted', 'stop-word': 'stopped', stopped: 'stopped', requested: 'stopped' }

/** Draws a conversation as it is heard. Only what changed is drawn again. */
export function createTranscript(place, { onRetry, onTry }) {
  let drawn = []

  return {
    clear() {
      drawn = []
      place.replaceChildren()
    },
    draw({ entries, pending, state }) {
      const isAtEnd = place.scrollHeight - place.scrollTop - place.clientHeight < 80
      const words = state === 'detecting' ? [...pending.finals, pending.partial] : []
      const live = words.filter((text) => text.trim() !== '').join(' ')
      const shown = live === '' ? entries : [...entries, { kind: 'caller', text: live, isPartial: true }]
      if (shown.length === 0) {
        if (place.querySelector('.welcome') === null) place.replaceChildren(welcome(onTry))
        drawn = []
        return
      }
      if (drawn.length === 0) place.replaceChildren()
      for (const [at, entry] of shown.entries()) {
        const looks = JSON.stringify(entry)
        if (drawn[at]?.looks === looks) continue
        const element = elementOf(entry, onRetry)
        if (drawn[at] === undefined) place.append(element)
        else drawn[at].element.replaceWith(element)
        drawn[at] = { looks, element }
      }
      for (const { element } of drawn.splice(shown.length)) element.remove()
      if (isAtEnd) place.scrollTop = place.scrollHeight
    },
  }
}

function elementOf(entry, onRetry) {
  const item = document.createElement('li')
  switch (entry.kind) {
    case 'caller':
      item.className = entry.isPartial ? 'entry caller partial' : 'entry caller'
      if (entry.speaker !== undefined) item.append(span('by', entry.speaker))
      item.append(entry.text)
      return item
    case 'assistant':
      return assistant(item, entry)
    case 'failure':
      return failure(item, entry, onRetry)
    default:
      item.className = 'entry aside'
      item.textContent = entry.text
      return item
  }
}

function assistant(item, reply) {
  const { heard, coming, lost } = partsOf(reply)
  item.className = 'entry assistant'
  const said = document.createElement('div')
  said.className = 'said'
  if (heard !== '') said.append(span('heard', heard))
  if (coming !== '') said.append(span('coming', coming))
  if (lost !== '' && reply.interrupted) said.append(span('lost', lost))
  item.append(said)
  if (!reply.isOver && heard === '' && coming === '') {
    said.append(span('waiting', ''))
    if (reply.delay !== null) item.append(span('facts', delays[reply.delay] ?? reply.delay))
  }
  if (reply.interrupted) {
    const how = cuts[reply.reason] ?? 'interrupted'
    item.append(
      span(
        'mark',
        heard === '' ? `${how} before a word was heard` : lost === '' ? how : `${how} · the rest was not heard`,
      ),
    )
  } else if (reply.isOver && reply.facts?.fallback)
    item.append(span('facts', `answered by ${reply.facts.model}, which took over`))
  return item
}

function failure(item, { code, message, recoverable }, onRetry) {
  item.className = 'entry failure'
  item.setAttribute('role', 'alert')
  const what = document.createElement('p')
  const name = document.createElement('strong')
  name.textContent = code
  what.append(name, ` ${message}`)
  item.append(what)
  const step = nextSteps[code]
  if (step !== undefined) {
    const next = document.createElement('p')
    next.textContent = step
    item.append(next)
  }
  if (recoverable && code !== 'bad-input') {
    const again = document.createElement('button')
    again.type = 'button'
    again.textContent = 'Ask again'
    again.addEventListener('click', onRetry)
    item.append(again)
  }
  return item
}

function welcome(onTry) {
  const item = document.createElement('li')
  item.className = 'welcome'
  const title = document.createElement('b')
  title.textContent = 'Say hello.'
  const tries = document.createElement('div')
  tries.className = 'tries'
  for (const words of ['Hello!', 'What time is it?', 'What is 12 times 7?']) {
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = words
    button.addEventListener('click', () => onTry(words))
    tries.append(button)
  }
  item.append(title, 'Type below, or turn the microphone on. Nothing leaves this machine by this page.', tries)
  return item
}

function span(className, text) {
  const element = document.createElement('span')
  element.className = className
  element.textContent = text
  return element
}
