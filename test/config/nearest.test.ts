import { describe, expect, it } from 'vitest'
import { nearest } from '../../src/config/nearest.ts'

describe('nearest', () => {
  it.each([
    ['docter', 'doctor'],
    ['chta', 'chat'],
    ['CHAT', 'chat'],
    ['grpah', 'graph'],
  ])('%s was meant to be %s', (typed, meant) => {
    expect(nearest(typed, ['chat', 'doctor', 'graph', 'model'])).toBe(meant)
  })

  it('makes no wild guess', () => {
    expect(nearest('frobnicate', ['chat', 'doctor'])).toBeUndefined()
    expect(nearest('', ['chat'])).toBeUndefined()
    expect(nearest('chat', [])).toBeUndefined()
  })
})
