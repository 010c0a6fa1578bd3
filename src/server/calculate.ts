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
/** Characters that a sum is written with. */
const arithmetic = /[\d.()\s+*/-]+/gu

/** The answer to a sum in the words, as a sentence; undefined where there is none. */
export function calculate(said: string): string | undefined {
  let text = said.toLowerCase().replaceAll(/(\d),(?=\d{3}\b)/gu, '$1')
  for (const [at, word] of numbers.entries()) text = text.replaceAll(new RegExp(`\\b${word}\\b`, 'gu'), String(at))
  for (const [word, sign] of Object.entries(words)) text = text.replaceAll(wordPattern(word), ` ${sign} `)
  const found = (text.match(arithmetic) ?? []).map(sumIn).find((sum) => sum !== undefined)
  if (found === undefined) return undefined
  const value = evaluate(found)
  if (value === undefined) return undefined
  return Number.isFinite(value) ? `That is ${rounded(value)}.` : 'That cannot be divided by zero.'
}

const wordPattern = (word: string) => new RegExp(/^[a-z ]+$/u.test(word) ? `(?<![a-z])${word}(?![a-z])` : word, 'gu')

const rounded = (value: number) => String(Math.round(value * 1e6) / 1e6)

/** From the first number, with the sign and the parentheses before it, to what is no full stop at the end. */
function sumIn(stretch: string): string | undefined {
  const digit = stretch.search(/\d/u)
  if (digit < 0) return undefined
  let start = digit
  while (stretch[start - 1] === '(') start -= 1
  if (stretch[start - 1] === '-') start -= 1
  let end = stretch.length
  while (end > digit && /[.\s]/u.test(stretch.charAt(end - 1))) end -= 1
  const sum = stretch.slice(start, end)
  return /\d\s*[+*/-]\s*[-(]*\d/u.test(sum) ? sum : undefined
}

/** What binds tighter is worked out first; a sign tightest. */
const strength: Readonly<Record<string, number>> = { '+': 1, '-': 1, '*': 2, '/': 2, negative: 3 }

/** + - * / and parentheses, with two stacks: no depth of parentheses is too deep. Undefined where the text is no sum. */
function evaluate(text: string): number | undefined {
  const tokens = text.match(/\d+(?:\.\d+)?|[-+*/()]/gu) ?? []
  const values: number[] = []
  const pending: string[] = []
  const workOut = (atLeast: number) => {
    for (let sign = pending.at(-1); sign !== undefined && (strength[sign] ?? 0) >= atLeast; sign = pending.at(-1)) {
      pending.pop()
      const right = values.pop() ?? NaN
      values.push(sign === 'negative' ? -right : apply(sign, values.pop() ?? NaN, right))
    }
  }
  /** A number or what begins one comes next. */
  let isOperand = true
  for (const token of tokens) {
    if (isOperand && token === '-') pending.push('negative')
    else if (isOperand && token === '(') pending.push(token)
    else if (isOperand) {
      values.push(Number(token))
      isOperand = false
    } else if (token === ')') {
      workOut(1)
      if (pending.pop() !== '(') return undefined
    } else if (strength[token] === undefined) return undefined
    else {
      workOut(strength[token])
      pending.push(token)
      isOperand = true
    }
  }
  // Parentheses that are left open close at the end.
  for (workOut(1); pending.length > 0; workOut(1)) pending.pop()
  const [value] = values
  return values.length === 1 && value !== undefined && !Number.isNaN(value) ? value : undefined
}

function apply(sign: string, left: number, right: number): number {
  if (sign === '+') return left + right
  if (sign === '-') return left - right
  return sign === '*' ? left * right : left / right
}
