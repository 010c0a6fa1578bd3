import { element, eventName, shortName, timeOfDay } from './elements.js'

const mostRows = 600

/**
 * The list of what happened, oldest first, which stays at its end unless one scrolls away from it.
 * @param {{ root: HTMLElement, toNewest: HTMLElement }} given
 */
export function createHappenings({ root, toNewest }) {
  let rendered = 0
  let renderedView = ''
  let isAtEnd = true

  root.addEventListener('scroll', () => {
    isAtEnd = root.scrollHeight - root.scrollTop - root.clientHeight < 24
    toNewest.hidden = isAtEnd
  })
  toNewest.addEventListener('click', () => {
    isAtEnd = true
    root.scrollTop = root.scrollHeight
    root.focus()
  })

  /**
   * @param {import('./model.js').Entry} entry
   * @param {ReturnType<typeof import('./model.js').createModel>} model
   */
  function rowOf(entry, model) {
    const time = element('time', {}, timeOfDay(entry.atMs))
    const who = element('span', { className: 'who' }, model.nameOf(entry.actor))
    if (entry.kind === 'event') {
      const from = entry.from === null || entry.from === undefined ? '' : `${model.nameOf(entry.from)} → `
      who.prepend(from)
      who.title = who.textContent ?? ''
      const line = [time, element('span', { className: 'type' }, eventName(entry.type ?? '')), who]
      if (!entry.payload)
        return element('li', { className: 'row event' }, element('div', { className: 'line' }, ...line))
      const payload = element('pre', { tabIndex: 0 })
      const details = element('details', {}, element('summary', { className: 'line' }, ...line), payload)
      details.addEventListener('toggle', () => (payload.textContent = pretty(entry.payload ?? '')), { once: true })
      return element('li', { className: 'row event' }, details)
    }
    const what =
      entry.kind === 'step'
        ? `${shortName(entry.source ?? '')} → ${(entry.targets ?? []).map(shortName).join(', ')}`
        : entry.kind === 'born'
          ? 'begins'
          : `ends: ${entry.status}`
    return element(
      'li',
      { className: `row ${entry.kind}` },
      element('div', { className: 'line' }, time, element('span', { className: 'type' }, what), who),
    )
  }

  return {
    /**
     * @param {ReturnType<typeof import('./model.js').createModel>} model
     * @param {{ family: Set<number> | null, steps: boolean, filter: string }} view
     */
    render(model, view) {
      const wanted = view.filter.trim().toLowerCase()
      /** @param {import('./model.js').Entry} entry */
      const isShown = (entry) =>
        (view.family === null || view.family.has(entry.actor)) &&
        (view.steps || entry.kind === 'event') &&
        (wanted === '' ||
          `${entry.type ?? ''} ${model.nameOf(entry.actor)} ${entry.source ?? ''} ${(entry.targets ?? []).join(' ')} ${entry.payload ?? ''}`
            .toLowerCase()
            .includes(wanted))
      const viewKey = JSON.stringify([view.family && [...view.family].sort((a, b) => a - b), view.steps, wanted])
      const isSame = viewKey === renderedView && (model.entries.at(-1)?.seq ?? 0) >= rendered
      if (!isSame) root.replaceChildren()
      const after = isSame ? rendered : 0
      renderedView = viewKey
      const fresh = []
      for (let at = model.entries.length - 1; at >= 0 && fresh.length < mostRows; at -= 1) {
        const entry = model.entries[at]
        if (!entry || entry.seq <= after) break
        if (isShown(entry)) fresh.push(rowOf(entry, model))
      }
      rendered = model.entries.at(-1)?.seq ?? 0
      root.append(...fresh.reverse())
      // What one has scrolled back to is not taken away under one's eyes.
      if (isAtEnd) while (root.childElementCount > mostRows) root.firstElementChild?.remove()
      if (isAtEnd && fresh.length > 0) root.scrollTop = root.scrollHeight
    },
  }
}

/** @param {string} json */
export function pretty(json) {
  if (json === '') return ''
  return JSON.stringify(JSON.parse(json), null, 2)
}
