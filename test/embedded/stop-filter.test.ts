import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StopFilter } from '../../src/backends/embedded/stop-filter.ts'

function filter(stops: string[], pieces: string[]): string {
  const stopFilter = new StopFilter(stops)
  return pieces.map((piece) => stopFilter.push(piece)).join('') + stopFilter.end()
}

/** Letter by letter, what ends with a stop is over. */
function first(text: string, stops: string[]): string {
  for (let end = 1; end <= text.length; end++) {
    const lengths = stops.filter((stop) => stop !== '' && text.slice(0, end).endsWith(stop)).map((stop) => stop.length)
    if (lengths.length > 0) return text.slice(0, end - Math.max(...lengths))
  }
  return text
}

describe('StopFilter', () => {
  it('holds back what may become a stop', () => {
    const stopFilter = new StopFilter(['\nUser:'])
    expect(stopFilter.push('Hello.\nUs')).toBe('Hello.')
    expect(stopFilter.push('ual')).toBe('\nUsual')
    expect(stopFilter.push('\nUser: hi')).toBe('')
    expect(stopFilter.stopped).toBe(true)
    expect(stopFilter.push('more') + stopFilter.end()).toBe('')
  })

  it('cuts at the same place however the text is sliced', () => {
    const letters = fc.constantFrom('a', 'b', 'ab', 'ba', 'aab')
    const stops = fc.array(
      fc.array(letters, { maxLength: 3 }).map((parts) => parts.join('')),
      { maxLength: 3 },
    )
    fc.assert(
      fc.property(stops, fc.array(letters), (words, pieces) => {
        expect(filter(words, pieces)).toBe(first(pieces.join(''), words))
      }),
      { numRuns: 2_000 },
    )
  })
})
