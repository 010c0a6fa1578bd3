import { element, setText, shortName } from './elements.js'
import { innermost } from './model.js'

/**
 * The tree of actors. Arrow keys move, and what is moved to is chosen.
 * @param {{ root: HTMLElement, choose: (key: number) => void }} given
 */
export function createTree({ root, choose }) {
  /** @type {Map<number, { item: HTMLElement, row: HTMLElement, name: HTMLElement, state: HTMLElement, group: HTMLElement }>} */
  const items = new Map()
  /** @type {number | null} */
  let chosen = null

  /** @param {number} key */
  function made(key) {
    const known = items.get(key)
    if (known) return known
    const name = element('span', { className: 'actor-name' })
    const state = element('span', { className: 'actor-state' })
    const row = element('div', { className: 'actor-row' }, element('span', { className: 'dot' }), name, state)
    const group = element('ul', { role: 'group' })
    const item = element('li', { role: 'treeitem', tabIndex: -1, 'data-key': key }, row, group)
    const one = { item, row, name, state, group }
    items.set(key, one)
    return one
  }

  root.addEventListener('click', (event) => {
    const item = event.target instanceof Element ? event.target.closest('[role=treeitem]') : null
    if (item instanceof HTMLElement) goTo(item)
  })
  root.addEventListener('keydown', (event) => {
    const visible = [...root.querySelectorAll('[role=treeitem]')].filter((item) => item instanceof HTMLElement)
    const at = visible.findIndex((item) => item === document.activeElement)
    const current = visible[at]
    const next = {
      ArrowDown: () => visible[at + 1],
      ArrowUp: () => visible[at - 1],
      ArrowLeft: () => current?.parentElement?.closest('[role=treeitem]'),
      ArrowRight: () => current?.querySelector('[role=treeitem]'),
      Home: () => visible[0],
      End: () => visible.at(-1),
    }[event.key]
    if (!next) return
    event.preventDefault()
    const item = next()
    if (item instanceof HTMLElement) goTo(item)
  })

  /** @param {HTMLElement} item */
  function goTo(item) {
    choose(Number(item.dataset['key']))
    item.focus()
  }

  return {
    /**
     * @param {ReturnType<typeof import('./model.js').createModel>} model
     * @param {{ chosen: number | null, showEnded: boolean }} view
     */
    render(model, view) {
      chosen = view.chosen
      const shown = new Set()
      for (const actor of model.actors.values()) {
        if (actor.status !== 'active' && !view.showEnded && actor.key !== chosen) continue
        shown.add(actor.key)
        const { item, name, state } = made(actor.key)
        setText(name, actor.id)
        setText(state, actor.status === 'active' ? stateText(actor.active) : actor.status)
        item.title = innermost(actor.active).join('\n')
        item.dataset['status'] = actor.status
        item.dataset['kind'] = actor.kind
        item.setAttribute('aria-selected', String(actor.key === chosen))
        item.tabIndex = actor.key === chosen || (chosen === null && shown.size === 1) ? 0 : -1
        const place = actor.parent !== null && shown.has(actor.parent) ? made(actor.parent).group : root
        if (item.parentElement !== place) place.append(item)
      }
      for (const [key, { item }] of items) {
        if (shown.has(key)) continue
        item.remove()
        if (!model.actors.has(key)) items.delete(key)
      }
    },
  }
}

/** Of a chart with one main state that; of one with several at once, what each is in. @param {string[]} active */
function stateText(active) {
  const main = active.filter((id) => id.split('.').length === 2)
  return (main.length === 1 ? main : innermost(active)).map(shortName).join(' · ')
}
