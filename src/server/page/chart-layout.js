/** Where the states of a machine stand in a picture: one column of boxes, arcs down on the right, up on the left. Pure. */

const width = 344
const box = { x: 66, width: 212, height: 26, gap: 7 }
const chip = { height: 18, gap: 4, pad: 7, charPx: 6.1 }
const inner = box.width - 16

/**
 * @param {object} chart as /charts.json has it
 * @param {readonly string[]} active ids, outermost first
 * @param {{ from: string, to: string } | undefined} last
 */
export function layOut(chart, active, last) {
  const column = columnOf(chart)
  const lit = new Set(active)
  const boxes = []
  let y = 2
  for (const state of column.states) {
    const isActive = lit.has(state.id)
    const rows = isActive ? rowsOf(state, lit) : []
    const height = box.height + heightOf(rows)
    boxes.push({
      id: state.id,
      key: state.key,
      description: state.description,
      isActive,
      x: box.x,
      y,
      width: box.width,
      height,
      chips: place(rows, y),
    })
    y += height + box.gap
  }
  return { width, height: tallest(column), boxes, arcs: arcsOf(column, boxes, last) }
}

/** A machine of parallel regions is shown by the one with the most states; the others stand beside it as chips. */
export function columnOf(chart) {
  if (chart.type !== 'parallel') return chart
  return chart.states.reduce((most, region) => (region.states.length > most.states.length ? region : most))
}

/** What stands inside an active state, a row per region and level: its substates, the active ones lit. */
function rowsOf(state, lit) {
  if (state.states.length === 0) return []
  if (state.type === 'parallel') return state.states.flatMap((region) => rowsOf(region, lit))
  const items = state.states.map(({ key, id }) => ({ key, id, isActive: lit.has(id) }))
  const deeper = state.states.filter(({ id }) => lit.has(id)).flatMap((child) => rowsOf(child, lit))
  return [...wrapped(items), ...deeper]
}

function wrapped(items) {
  const rows = [[]]
  let used = 0
  for (const item of items) {
    const wide = chipWidth(item.key)
    if (used > 0 && used + wide > inner) {
      rows.push([])
      used = 0
    }
    rows.at(-1).push(item)
    used += wide + chip.gap
  }
  return rows
}

const chipWidth = (key) => Math.round(key.length * chip.charPx + chip.pad * 2)
const heightOf = (rows) => (rows.length === 0 ? 0 : rows.length * (chip.height + chip.gap) + 4)

function place(rows, y) {
  return rows.flatMap((row, line) => {
    let x = box.x + 8
    return row.map((item) => {
      const placed = {
        ...item,
        x,
        y: y + box.height - 1 + line * (chip.height + chip.gap),
        width: chipWidth(item.key),
        height: chip.height,
      }
      x += placed.width + chip.gap
      return placed
    })
  })
}

/** The picture keeps its height whatever is active, so that nothing below it jumps. */
function tallest(column) {
  const flat = column.states.length * (box.height + box.gap) - box.gap + 4
  return flat + Math.max(...column.states.map((state) => heightOf(mostRows(state))))
}

function mostRows(state) {
  if (state.states.length === 0) return []
  if (state.type === 'parallel') return state.states.flatMap(mostRows)
  const deepest = state.states.map(mostRows).reduce((most, rows) => (rows.length > most.length ? rows : most), [])
  return [...wrapped(state.states), ...deepest]
}

/** One arc per pair of boxes, however many transitions lead from the one to the other. */
function arcsOf(column, boxes, last) {
  const at = (id) => boxes.findIndex((one) => id === one.id || id.startsWith(`${one.id}.`))
  const pairs = new Map()
  const visit = (state) => {
    for (const { to } of state.transitions) note(state.id, to)
    for (const child of state.states) visit(child)
  }
  const note = (from, to) => {
    const [start, end] = [at(from), at(to)]
    if (start >= 0 && end >= 0 && start !== end) pairs.set(`${start} ${end}`, { start, end, isLast: false })
  }
  for (const state of column.states) visit(state)
  if (last !== undefined) {
    const [start, end] = [at(last.from), at(last.to)]
    if (start >= 0 && end >= 0 && start !== end) pairs.set(`${start} ${end}`, { start, end, isLast: true })
  }
  return [...pairs.values()]
    .map(({ start, end, isLast }) => ({ isLast, ...arc(boxes[start], boxes[end], end > start, Math.abs(end - start)) }))
    .toSorted((one, other) => Number(one.isLast) - Number(other.isLast))
}

function arc(from, to, isDown, distance) {
  const side = isDown ? 1 : -1
  const x = isDown ? box.x + box.width : box.x
  const [y1, y2] = isDown ? [from.y + 18, to.y + 8] : [from.y + 8, to.y + 18]
  const bulge = x + side * Math.min(62, 10 + distance * 13)
  return {
    from: from.id,
    to: to.id,
    path: `M${x} ${y1}C${bulge} ${y1} ${bulge} ${y2} ${x + side * 5} ${y2}`,
    head: `M${x} ${y2}l${side * 7} -3.500v7z`,
  }
}
