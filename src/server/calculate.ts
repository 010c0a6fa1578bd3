const words: Readonly<Record<string, string>> = {
  plus: '+',
  minus: '-',
  times: '*',
  'multiplied by': '*',
  'divided by': '/',
  over: '/',
  x: '*',
  '×': '*',
  '÷': '/',
  '−': '-',
}
const numbers = 'zero one two three four five six seven eight nine ten eleven twelve'.split(' ')
const expression = /-?\(*\d[\d.()\s+*/-]*/u

/** The answer to a sum in the words, as a sentence; undefined where there is none. */
export function calculate(said: string): string | undefined {
  let text = said.toLowerCase().replaceAll(/(\d),(?=\d{3}\b)/gu, '$1')
  for (const [at, word] of numbers.entries()) text = text.replaceAll(new RegExp(`\\b${word}\\b`, 'gu'), String(at))
  for (const [word, sign] of Object.entries(words)) text = text.replaceAll(wordPattern(word), ` ${sign} `)
  const found = expression
    .exec(text)?.[0]
    .trim()
    .replace(/[.\s]+$/u, '')
  if (found === undefined || !/\d\s*[+*/-]\s*[-(]*\d/u.test(found)) return undefined
  const value = evaluate(found)
  if (value === undefined) return undefined
  return Number.isFinite(value) ? `That is ${rounded(value)}.` : 'That cannot be divided by zero.'
}

const wordPattern = (word: string) => new RegExp(/^[a-z ]+$/u.test(word) ? `(?<![a-z])${word}(?![a-z])` : word, 'gu')

const rounded = (value: number) => String(Math.round(value * 1e6) / 1e6)

/** Recursive descent over + - * / and parentheses; undefined where the text is no sum. */
function evaluate(text: string): number | undefined {
  const tokens = text.match(/\d+(?:\.\d+)?|[-+*/()]/gu) ?? []
  let at = 0
  const primary = (): number => {
    const token = tokens[at]
    at += 1
    if (token === '-') return -primary()
    if (token === '(') {
      const value = sum()
      at += 1
      return value
    }
    return Number(token)
  }
  const product = (): number => {
    let value = primary()
    while (tokens[at] === '*' || tokens[at] === '/') {
      at += 1
      value = tokens[at - 1] === '*' ? value * primary() : value / primary()
    }
    return value
  }
  const sum = (): number => {
    let value = product()
    while (tokens[at] === '+' || tokens[at] === '-') {
      at += 1
      value = tokens[at - 1] === '+' ? value + product() : value - product()
    }
    return value
  }
  const value = sum()
  return at >= tokens.length && !Number.isNaN(value) ? value : undefined
}
