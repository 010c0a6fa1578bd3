import { svg } from './chart-view.js'
import { stationsOf } from './model.js'

/** The turn from the end of speech to the first sound, drawn to scale. */
export function drawTimeline(place, moments, timings) {
  const stations = stationsOf(moments)
  if (stations.length === 0) {
    const nothing = document.createElement('p')
    nothing.className = 'trace'
    nothing.textContent = 'Say something, and see where the time goes.'
    return place.replaceChildren(nothing)
  }
  const list = document.createElement('dl')
  list.className = 'timeline'
  const endMs = Math.max(1, ...stations.map(({ fromMs, ms }) => (fromMs ?? 0) + (ms ?? 0)))
  for (const station of stations) list.append(...row(station, endMs))
  const total = document.createElement('div')
  total.className = 'total'
  const first = document.createElement('b')
  first.textContent = inWords(endMs)
  total.append(
    first,
    ` from the end of speech${timings?.tokensPerSecond ? ` · ${Math.round(timings.tokensPerSecond)} tokens a second` : ''}`,
  )
  list.append(total)
  place.replaceChildren(list)
}

function row({ key, label, fromMs, ms }, endMs) {
  const term = document.createElement('dt')
  term.textContent = label
  const bar = document.createElement('dd')
  const scale = (value) => (value / endMs) * 100
  bar.append(
    svg(
      'svg',
      { viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      svg('rect', { class: 'rail-line', x: 0, y: 3.5, width: 100, height: 1 }),
      ...(ms === null
        ? []
        : [svg('rect', { class: `span ${key}`, x: scale(fromMs), y: 1, width: Math.max(0.8, scale(ms)), height: 6 })]),
    ),
  )
  const value = document.createElement('dd')
  value.className = ms === null ? 'ms none' : 'ms'
  value.dataset.station = key
  value.textContent = ms === null ? '–' : inWords(ms)
  return [term, bar, value]
}

function inWords(ms) {
  if (ms < 10) return `${ms.toFixed(1)} ms`
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(2)} s`
}
