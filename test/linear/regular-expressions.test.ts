import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { leastCostMs } from './cost.ts'

const root = new URL('../../', import.meta.url)
const literal =
  /(?<=(?:^|[(=,:?&|!{[]|return|=>)\s*)\/(?![/*])((?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+)\/([dgimsuvy]*)/gmu

interface Found {
  file: string
  pattern: RegExp
}

/** The regular expressions in the sources that can go over a character more than once. */
function repeating(): Found[] {
  return ['src', 'machines'].flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => {
        const source = readFileSync(new URL(`${folder}/${file}`, root), 'utf8')
        return [...source.matchAll(literal)]
          .filter(([, body = '']) => /[*+{]/u.test(body))
          .map(([, body = '', flags]) => ({ file: `${folder}/${file}`, pattern: new RegExp(body, flags) }))
      }),
  )
}

/** What the expression speaks of, and a few characters that it may not expect. */
function alphabetOf({ source }: RegExp): string[] {
  const words = source.replaceAll(/\\[a-z](?:\{[^}]*\})?/giu, ' ').match(/[a-z]{2,}|[^a-z\s]/giu) ?? []
  return [...new Set([...words, ' ', '\t', '\n', 'a', '1', '.', '\0', '我'])].slice(0, 16)
}

/** Texts that go wrong at their end only: one word or two words over and over. */
function* attacks(pattern: RegExp): Generator<(chars: number) => string> {
  const alphabet = alphabetOf(pattern)
  for (const one of alphabet) {
    for (const other of alphabet) {
      const unit = one === other ? one : one + other
      for (const end of ['\0', `\n${one}`]) {
        yield (chars) => unit.repeat(Math.ceil(chars / unit.length)).slice(0, chars) + end
      }
    }
  }
}

const find = (pattern: RegExp, text: string) => () => {
  // From every place on, as a caller goes through a text with a sticky expression.
  if (!pattern.sticky) return text.replace(pattern, '')
  for (pattern.lastIndex = 0; pattern.lastIndex < text.length;) {
    const at = pattern.lastIndex
    if (!pattern.test(text)) pattern.lastIndex = at + 1
  }
  return ''
}

it('finds the expressions that go over a text again and again', () => {
  const growing = [/\s*\n\s*/g, /(?:a|a)+b/, /[.\s]+$/u, /^[ |-]*-[ |-]*\|[ |-]*$/, /model\b.*(?:not found|unknown)/i]
  for (const pattern of growing) expect(attackOn(pattern), String(pattern)).toBeDefined()
  expect(attackOn(/[^\n]+/g)).toBeUndefined()
})

/** A text of which four times as much costs a lot more than four times. */
function attackOn(pattern: RegExp): string | undefined {
  for (const attack of attacks(pattern)) {
    // Exponential ones would not come back from a longer text.
    if (leastCostMs(find(pattern, attack(24)), 20) > 20) return attack(24)
    const cost = leastCostMs(find(pattern, attack(4_000)), 4)
    if (cost > 4 && cost > 10 * leastCostMs(find(pattern, attack(1_000)))) return attack(40)
  }
  return undefined
}

it('no expression of the sources does', () => {
  const found = repeating()
  expect(found.length).toBeGreaterThan(60)
  const attacked = found.map(({ file, pattern }) => ({ file, pattern, attack: attackOn(pattern) }))
  expect(attacked.filter(({ attack }) => attack !== undefined)).toEqual([])
}, 120_000)
