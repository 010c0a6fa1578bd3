import { columnOf, layOut } from './chart-layout.js'

const svgNames = 'http://www.w3.org/2000/svg'

/** @param {string} name @param {Record<string, string | number>} attributes @param {(Element | string)[]} children */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(svgNames, name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value))
  element.append(...children)
  return element
}

/** Draws a chart into its place; `step` is where it stands and how it came there. */
export function drawChart(place, chart, step) {
  const active = step?.active ?? []
  const { width, height, boxes, arcs } = layOut(chart, active, step?.last)
  const lit = boxes.filter(({ isActive }) => isActive).map(({ key }) => key)
  const picture = svg(
    'svg',
    {
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'aria-label': lit.length === 0 ? 'at rest' : `active: ${lit.join(', ')}`,
    },
    ...arcs.map(({ path, isLast }) => svg('path', { d: path, class: isLast ? 'arc last' : 'arc' })),
    ...arcs.map(({ head, isLast }) => svg('path', { d: head, class: isLast ? 'head last' : 'head' })),
    ...boxes.map(drawBox),
  )
  place.replaceChildren(picture)
  place.classList.toggle('resting', active.length === 0)
}

function drawBox({ id, key, description, isActive, x, y, width, height, chips }) {
  const title = svg('title', {}, description ?? key)
  return svg(
    'g',
    { class: `state ${key}${isActive ? ' active' : ''}`, 'data-state': id },
    title,
    svg('rect', { x, y, width, height, rx: 7 }),
    svg('text', { x: x + 12, y: y + 17.5 }, words(key)),
    ...chips.map((chip) =>
      svg(
        'g',
        { class: chip.isActive ? 'chip active' : 'chip', 'data-state': chip.id },
        svg('rect', { x: chip.x, y: chip.y, width: chip.width, height: chip.height, rx: 9 }),
        svg('text', { x: chip.x + chip.width / 2, y: chip.y + 12.5, 'text-anchor': 'middle' }, words(chip.key)),
      ),
    ),
  )
}

/** backingOff: backing off. */
export function words(key) {
  return key.replaceAll(/([a-z])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`)
}

/** What happened last, as a line: the event, and from where to where. */
export function tellTrace(place, chart, step) {
  place.replaceChildren()
  if (step?.last === undefined) return
  const short = (id) => words(nameIn(chart, id)).replaceAll('.', ' · ') || 'any state'
  const event = document.createElement('b')
  event.textContent = step.last.event
  const [from, to] = [short(step.last.from), short(step.last.to)]
  const region = from.slice(0, from.lastIndexOf(' · ') + 1)
  place.append(event, `  ${from} → ${region !== '' && to.startsWith(region) ? to.slice(region.length + 2) : to}`)
}

/** The path of a state as people read it: without the machine, and without the region that is the picture. */
function nameIn(chart, id) {
  const root = [columnOf(chart).id, chart.id].find((one) => id === one || id.startsWith(`${one}.`)) ?? ''
  return id.slice(root.length + 1)
}
