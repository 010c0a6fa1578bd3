import { EventEmitter } from 'node:events'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { printLastWords } from '../../src/cli/last-words.ts'
import { plain, plainJson, plainLine } from '../../src/cli/plain.ts'
import { table } from '../../src/cli/table.ts'
import { Printer } from '../../src/cli/terminal.ts'
import { fakeTerminal } from '../support/fake-terminal.ts'
import { actingIn, everyControl, hostile, sequences } from '../support/hostile.ts'

const pieces = fc.array(
  fc.oneof(
    fc.constantFrom(...sequences, ...everyControl, '\0', '\uD83D', '\uDE00', '\r\n'),
    fc.string({ unit: 'binary' }),
  ),
)

/** What reaches the stream of a printer. */
function written(use: (printer: Printer) => void): string {
  let text = ''
  use(new Printer({ write: (piece) => (text += piece) }))
  return text
}

describe('plain text', () => {
  it.each([
    ['\u001B[31mred\u001B[0m', '␛[31mred␛[0m'],
    ['\u009B5mblink', '\uFFFD5mblink'],
    ['safe\rover', 'safe\nover'],
    ['one\r\ntwo\u0085three\u2028four\u2029five', 'one\ntwo\nthree\nfour\nfive'],
    ['a\b\u007F\u0007', 'a␈␡␇'],
    ['exe.\u202Egnp\u202C', 'exe.gnp'],
    ['half \uD83D of it', 'half \uFFFD of it'],
    ['Ünï\tcödé 👩‍👩‍👧 می‌خواهم ไทย\u200B', 'Ünï\tcödé 👩‍👩‍👧 می‌خواهم ไทย\u200B'],
  ])('%j is %j', (text, wanted) => {
    expect(plain(text)).toBe(wanted)
  })

  it('of any text holds nothing that acts, and of a harmless one is the text', () => {
    fc.assert(
      fc.property(pieces, (some) => {
        expect(actingIn(plain(some.join('')))).toEqual([])
        expect(actingIn(plainLine(some.join('')))).toEqual([])
        expect(plainLine(some.join(''))).not.toContain('\n')
      }),
    )
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'aé€😀 \t\n.') }), (text) => plain(text) === text))
  })

  it('is the same however it is cut into pieces', () => {
    fc.assert(
      fc.property(pieces, (some) => {
        const end = (printer: Printer) => printer.lines('end')
        const whole = written((printer) => (printer.write(some.join('')), end(printer)))
        const cut = written((printer) => (some.forEach((piece) => printer.write(piece)), end(printer)))
        const units = written(
          (printer) => (
            some
              .join('')
              .split('')
              .forEach((unit) => printer.write(unit)),
            end(printer)
          ),
        )
        expect(cut).toBe(whole)
        expect(units).toBe(whole)
      }),
    )
  })

  it('takes time that grows with its length alone', () => {
    const long = `${' '.repeat(200_000)}\n${'\r\n'.repeat(100_000)}${'\u001B['.repeat(100_000)}`
    expect(plainLine(long).length).toBeGreaterThan(400_000)
  })
})

describe('JSON for a terminal', () => {
  it('parses to the same value, and holds nothing that acts or is not seen', () => {
    fc.assert(
      fc.property(pieces, (some) => {
        const value = { [some.join('')]: some }
        expect(JSON.parse(plainJson(value, 2))).toEqual(JSON.parse(JSON.stringify(value)))
        expect(actingIn(plainJson(value))).toEqual([])
        expect(plainJson(value)).toMatch(/^[^\n\u00AD\u200B-\u200F\uFEFF\u{E0001}]*$/u)
      }),
    )
    expect(plainJson('\u009B\u202E\u{E0041}')).toBe(String.raw`"\u009b\u202e\udb40\udc41"`)
    expect(plainJson(undefined)).toBe('null')
  })
})

describe('the printer', () => {
  it('keeps a line on its line, and draws over one with its own sequences alone', () => {
    expect(written((printer) => printer.lines('a\nforged: b', 'c\r\n\r\n  d'))).toBe('a forged: b\nc d\n')
    const drawn = written((printer) => printer.redraw(`50 % of ${hostile}`))
    expect([drawn.startsWith('\r50 % of x␛[2J'), drawn.endsWith('\u001B[K')]).toEqual([true, true])
    expect(actingIn(drawn.slice(1, -3))).toEqual([])
  })

  it('a table stays a table', () => {
    expect(
      table([
        ['id', 'n'],
        ['a\nb\u202E', '1'],
        ['c', '2'],
      ]),
    ).toEqual(['id   n', 'a b  1', 'c    2'])
  })
})

describe('what Node prints of a process', () => {
  it('82: warnings and the error that ends it are plain, on lines of their own', () => {
    const codes: number[] = []
    const process = Object.assign(new EventEmitter(), { exit: (code: number) => codes.push(code) })
    process.on('warning', () => expect.fail('Node’s own listener prints it raw'))
    const terminal = fakeTerminal()
    printLastWords(process, terminal)
    process.emit('warning', new Error(hostile))
    process.emit('uncaughtException', new Error(hostile))
    process.emit('uncaughtException', hostile)
    expect(codes).toEqual([1, 1])
    expect(terminal.complained).toMatch(
      /^Error: x␛\[2J.*\ncolloquy: unexpected: x.*\(COLLOQUY_DEBUG=1 shows where\)\ncolloquy: unexpected: x.*\n$/u,
    )
    expect(actingIn(terminal.complained)).toEqual([])
  })

  it('warnings that are switched off stay so', () => {
    const process = Object.assign(new EventEmitter(), { exit: () => undefined })
    const terminal = fakeTerminal()
    printLastWords(process, terminal)
    process.emit('warning', new Error('quiet'))
    expect(terminal.complained).toBe('')
  })
})
