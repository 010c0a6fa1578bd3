import { isSpace, isSpoken } from './characters.ts'

/** Text being put together: runs of white space become one space, none stands at either end. */
export class Draft {
  private text = ''
  private readonly starts: number[] = []
  private readonly ends: number[] = []
  private spaceAt = -1
  private afterRemoval = false

  keep(source: string, from: number, to: number): void {
    for (let i = from; i < to; i += 1) {
      if (isSpace(source.charCodeAt(i))) this.space(i)
      else this.put(source[i] ?? '', i, i + 1)
    }
  }

  put(character: string, from: number, to: number): void {
    if (character === ' ') return this.space(from)
    // `Great 👍!` is said `Great!`
    const joins = this.afterRemoval && /[.,!?;:…。，！？、)]/.test(character)
    if (this.spaceAt >= 0 && this.text !== '' && !joins) this.append(' ', this.spaceAt, this.spaceAt + 1)
    this.spaceAt = -1
    this.afterRemoval = false
    this.append(character, from, to)
  }

  space(at: number): void {
    if (this.spaceAt < 0) this.spaceAt = at
  }

  /** The bar between two cells is a pause. */
  cell(at: number): void {
    this.spaceAt = -1
    this.put(',', at, at + 1)
  }

  removed(): void {
    this.afterRemoval = true
  }

  finish(): { text: string; starts: number[]; ends: number[] } {
    return { text: isSpoken(this.text) ? this.text : '', starts: this.starts, ends: this.ends }
  }

  private append(character: string, from: number, to: number): void {
    this.text += character
    this.starts.push(from)
    this.ends.push(to)
  }
}
