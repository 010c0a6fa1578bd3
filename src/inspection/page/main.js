import { createChart } from './chart.js'
import { byId, eventName, setText, shortName } from './elements.js'
import { createHappenings, pretty } from './happenings.js'
import { createModel, innermost } from './model.js'
import { createTree } from './tree.js'

const model = createModel()
const view = {
  chosen: /** @type {number | null} */ (null),
  showEnded: false,
  onlyChosen: false,
  steps: true,
  filter: '',
}
const tree = createTree({ root: byId('tree'), choose })
const chart = createChart({ root: byId('chart'), note: byId('state-note') })
const happenings = createHappenings({ root: byId('entries'), toNewest: byId('to-newest') })
const filter = byId('filter')
let isDue = false

/** @param {number} key */
function choose(key) {
  view.chosen = key
  renderSoon()
}

function renderSoon() {
  if (isDue) return
  isDue = true
  requestAnimationFrame(() => {
    isDue = false
    render()
  })
}

function render() {
  // The first statechart is chosen for those who have not chosen; what has gone is chosen no more.
  if (view.chosen === null || !model.actors.has(view.chosen)) {
    view.chosen =
      [...model.actors.values()].find(({ kind, parent }) => kind === 'machine' && parent === null)?.key ?? null
  }
  tree.render(model, view)
  byId('no-actors').hidden = model.actors.size > 0
  const alive = [...model.actors.values()].filter(({ status }) => status === 'active').length
  setText(byId('summary'), `${alive} alive, ${model.entries.length} entries kept`)

  const chosen = view.chosen === null ? undefined : model.actors.get(view.chosen)
  const trace = chosen && model.traces.get(chosen.key)
  setText(byId('chosen-title'), chosen?.id ?? 'Chart')
  setText(
    byId('chosen-note'),
    chosen
      ? chosen.status === 'active'
        ? (chosen.chart ?? chosen.kind)
        : `${chosen.chart ?? chosen.kind}, ${chosen.status}`
      : '',
  )
  setText(byId('now'), chosen ? nowText(chosen) : '')
  setText(byId('trace'), trace ? traceText(trace) : '')
  chart.render(
    chosen?.chart === undefined ? null : model.charts.get(chosen.chart),
    chosen?.active ?? [],
    trace?.steps ?? [],
  )
  setText(byId('context'), chosen?.context ? pretty(chosen.context) : 'none')
  happenings.render(model, {
    family: view.onlyChosen && chosen ? model.family(chosen.key) : null,
    steps: view.steps,
    filter: view.filter,
  })
}

/** What the innermost states say of themselves. @param {import('./model.js').Actor} actor */
function nowText({ chart: name, active, status }) {
  if (status !== 'active' || name === undefined) return ''
  const wanted = new Set(innermost(active))
  /** @param {any} state @returns {string[]} */
  const described = (state) => [
    ...(wanted.has(state.id) && state.description ? [state.description] : []),
    ...state.states.flatMap(described),
  ]
  const chosenChart = model.charts.get(name)
  return chosenChart ? described(chosenChart).join(' ') : ''
}

/** @param {import('./model.js').Trace} trace */
function traceText({ event, steps }) {
  const path = steps.map(({ source, targets }) => `${shortName(source)} → ${targets.map(shortName).join(', ')}`)
  return `${eventName(event)}:  ${path.join(',  ')}`
}

/** @param {string} id @param {(isChecked: boolean) => void} set */
function onCheck(id, set) {
  const box = byId(id)
  box.addEventListener('change', () => {
    set(box instanceof HTMLInputElement && box.checked)
    renderSoon()
  })
}
onCheck('show-ended', (isChecked) => (view.showEnded = isChecked))
onCheck('only-chosen', (isChecked) => (view.onlyChosen = isChecked))
onCheck('show-steps', (isChecked) => (view.steps = isChecked))
filter.addEventListener('input', () => {
  view.filter = filter instanceof HTMLInputElement ? filter.value : ''
  renderSoon()
})
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target instanceof HTMLInputElement) return
  event.preventDefault()
  filter.focus()
})

function connect() {
  const socket = new WebSocket(`ws://${location.host}/live`)
  const status = byId('connection')
  socket.addEventListener('open', () => {
    status.dataset['state'] = 'open'
    setText(status, 'live')
  })
  socket.addEventListener('message', ({ data }) => {
    model.hear(JSON.parse(data))
    renderSoon()
  })
  socket.addEventListener('close', () => {
    status.dataset['state'] = 'closed'
    setText(status, 'not connected, trying again')
    window.setTimeout(connect, 1_000)
  })
}

connect()
render()
