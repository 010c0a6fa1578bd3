import { element, shortName } from './elements.js'

const svg = 'http://www.w3.org/2000/svg'

/**
 * Draws a statechart as boxes within boxes. Boxes never change their size, so that lighting one up moves nothing; of
 * the transitions only those are drawn that were taken last, and those of the state that is pointed at.
 * @param {{ root: HTMLElement, note: HTMLElement }} given
 */
export function createChart({ root, note }) {
  /** @type {Map<string, { box: HTMLElement, title: HTMLElement, state: any }>} */
  const boxes = new Map()
  const arrows = document.createElementNS(svg, 'svg')
  arrows.classList.add('arrows')
  arrows.setAttribute('aria-hidden', 'true')
  /** @type {any} */
  let drawn = null
  /** @type {{ source: string, targets: string[] }[]} */
  let steps = []
  /** @type {string | null} */
  let pointed = null
  let drawnSteps = ''
  /** @type {string | undefined} */
  let shownLeaf

  /** @param {any} state @param {boolean} isInitial @returns {HTMLElement} */
  function boxOf(state, isInitial) {
    const title = element('h3', { className: 'state-title' }, state.key)
    const marks = [
      state.type === 'parallel' ? 'parallel' : null,
      state.type === 'final' ? 'final' : null,
      ...state.invokes.map((/** @type {string} */ one) => `▸ ${one}`),
    ].filter((mark) => mark !== null)
    const head = element(
      'div',
      { className: 'state-head' },
      isInitial ? element('span', { className: 'initial', title: 'entered first' }) : null,
      title,
      ...marks.map((mark) => element('span', { className: 'mark' }, mark)),
    )
    const box = element('div', { className: `state ${state.type}`, 'data-id': state.id, tabIndex: 0 }, head)
    if (state.description) box.title = state.description
    if (state.states.length > 0) {
      const inner = element('div', { className: 'inner' })
      for (const child of state.states) inner.append(boxOf(child, child.id === state.initial))
      box.append(inner)
    }
    boxes.set(state.id, { box, title, state })
    return box
  }

  /** @param {any} chart */
  function draw(chart) {
    boxes.clear()
    drawnSteps = ''
    pointed = null
    root.replaceChildren(boxOf(chart, false), arrows)
    root.scrollTo(0, 0)
  }

  /** @param {Event} event */
  function pointedAt(event) {
    const box = event.target instanceof Element ? event.target.closest('.state') : null
    const id = box?.getAttribute('data-id') ?? null
    if (id === pointed) return
    pointed = id
    for (const [known, { box: one }] of boxes) one.classList.toggle('pointed', known === id)
    showNote()
    drawArrows()
  }
  root.addEventListener('focusin', pointedAt)
  root.addEventListener('click', pointedAt)
  root.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return
    pointed = null
    for (const { box } of boxes.values()) box.classList.remove('pointed')
    showNote()
    drawArrows()
  })
  new ResizeObserver(drawArrows).observe(root)

  function showNote() {
    const state = pointed === null ? undefined : boxes.get(pointed)?.state
    note.hidden = !state
    if (!state) return
    const rows = state.transitions.map((/** @type {any} */ one) =>
      element(
        'li',
        {},
        element('code', { className: 'on' }, one.label),
        one.guard ? element('span', { className: 'guard' }, ` if ${one.guard}`) : null,
        element(
          'span',
          { className: 'to' },
          one.targets.length > 0 ? ` → ${one.targets.map(shortName).join(', ')}` : ' stays',
        ),
        one.actions.length > 0 ? element('span', { className: 'actions' }, ` ${one.actions.join(', ')}`) : null,
      ),
    )
    const parts = [
      element('h3', {}, state.key),
      state.description ? element('p', {}, state.description) : null,
      state.tags.length > 0 ? element('p', { className: 'tags' }, `tags: ${state.tags.join(', ')}`) : null,
      rows.length > 0 ? element('ul', {}, ...rows) : element('p', { className: 'hint' }, 'No transition of its own.'),
    ]
    note.replaceChildren(...parts.filter((part) => part !== null))
  }

  /** Scrolls the chart alone, and only where it must. @param {HTMLElement | undefined} box */
  function bringIntoView(box) {
    if (!box) return
    const [inner, outer] = [box.getBoundingClientRect(), root.getBoundingClientRect()]
    if (inner.top < outer.top) root.scrollTop -= outer.top - inner.top + 12
    else if (inner.bottom > outer.bottom) root.scrollTop += inner.bottom - outer.bottom + 12
  }

  function drawArrows() {
    arrows.replaceChildren()
    if (!drawn) return
    const size = root.querySelector(':scope > .state')
    if (!(size instanceof HTMLElement)) return
    arrows.setAttribute('width', String(size.offsetWidth + 24))
    arrows.setAttribute('height', String(size.offsetHeight + 24))
    const state = pointed === null ? undefined : boxes.get(pointed)?.state
    if (state) {
      const targets = new Set(state.transitions.flatMap((/** @type {any} */ one) => one.targets))
      for (const target of targets) drawArrow(state.id, String(target), 'possible')
    }
    steps.forEach(({ source, targets }, index) => {
      for (const target of targets) drawArrow(source, target, index === steps.length - 1 ? 'taken last' : 'taken')
    })
  }

  /** @param {string} source @param {string} target @param {string} kind */
  function drawArrow(source, target, kind) {
    const from = boxes.get(source)
    const to = boxes.get(target)
    if (!from || !to || source === target) return
    const origin = root.getBoundingClientRect()
    const shift = { x: root.scrollLeft - origin.left, y: root.scrollTop - origin.top }
    // Of two boxes one within the other, the outer one is stood for by its title.
    const a = (from.box.contains(to.box) ? from.title : from.box).getBoundingClientRect()
    const b = (to.box.contains(from.box) ? to.title : to.box).getBoundingClientRect()
    /** @param {DOMRect} one */
    const middle = (one) => ({ x: one.left + one.width / 2 + shift.x, y: one.top + one.height / 2 + shift.y })
    const [start, end] = [middle(a), middle(b)]
    // From the edge that faces the other box; boxes beside each other are joined sideways.
    const isSideways = a.left > b.right || b.left > a.right
    if (isSideways) {
      const toRight = end.x > start.x
      start.x += (toRight ? 1 : -1) * (a.width / 2 + 1)
      end.x += (toRight ? -1 : 1) * (b.width / 2 + 4)
    } else {
      const down = end.y > start.y
      start.y += (down ? 1 : -1) * (a.height / 2 + 1)
      end.y += (down ? -1 : 1) * (b.height / 2 + 4)
    }
    const bend = isSideways ? (end.x - start.x) / 2 : (end.y - start.y) / 2
    const path = document.createElementNS(svg, 'path')
    path.setAttribute(
      'd',
      isSideways
        ? `M${start.x},${start.y} C${start.x + bend},${start.y} ${end.x - bend},${end.y} ${end.x},${end.y}`
        : `M${start.x},${start.y} C${start.x},${start.y + bend} ${end.x},${end.y - bend} ${end.x},${end.y}`,
    )
    path.setAttribute('class', kind)
    const tip = document.createElementNS(svg, 'circle')
    tip.setAttribute('cx', String(end.x))
    tip.setAttribute('cy', String(end.y))
    tip.setAttribute('r', '3.5')
    tip.setAttribute('class', kind)
    arrows.append(path, tip)
  }

  return {
    /**
     * @param {any} chart
     * @param {string[]} active
     * @param {{ source: string, targets: string[] }[]} taken
     */
    render(chart, active, taken) {
      if (chart !== drawn) {
        drawn = chart
        if (chart) draw(chart)
        else
          root.replaceChildren(
            element('p', { className: 'hint' }, 'This actor has no statechart: it is a callback or a promise.'),
          )
        showNote()
      }
      if (!chart) return
      const lit = new Set(active)
      for (const [id, { box }] of boxes) {
        box.classList.toggle('active', lit.has(id))
        if (lit.has(id)) box.setAttribute('aria-current', 'true')
        else box.removeAttribute('aria-current')
      }
      const leaf = active.findLast((id) => !active.some((other) => other.startsWith(`${id}.`)))
      if (leaf !== undefined && leaf !== shownLeaf) bringIntoView(boxes.get(leaf)?.box)
      shownLeaf = leaf
      const key = JSON.stringify(taken)
      if (key === drawnSteps) return
      drawnSteps = key
      steps = taken
      drawArrows()
    },
  }
}
