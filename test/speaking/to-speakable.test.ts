import { describe, expect, it } from 'vitest'
import { toSpeakable } from '../../src/speaking/to-speakable.ts'

describe('Markdown is said without its marks', () => {
  it.each([
    ['**Two** things are `ready` now.', 'Two things are ready now.'],
    ['Plain words stay.', 'Plain words stay.'],
    ['*one* _two_ ***three*** __four__ ~~five~~', 'one two three four five'],
    ['# Title', 'Title'],
    ['### Closed ###', 'Closed'],
    ['C# is a language, #1 too', 'C# is a language, #1 too'],
    ['- milk', 'milk'],
    ['* milk\n+ eggs', 'milk eggs'],
    ['- [x] done\n- [ ] open', 'done open'],
    ['2. second', '2. second'],
    ['-5 degrees', '-5 degrees'],
    ['> quoted\n> > twice', 'quoted twice'],
    ['See [the page](https://e.org/a_(b) "title").', 'See the page.'],
    ['[**bold** link](x) and [ref][1]', 'bold link and ref'],
    ['![a cat](cat.png) sleeps', 'a cat sleeps'],
    ['<https://e.org> or <b>this</b><br>that', 'https://e.org or this that'],
    ['Tom &amp; Jerry &lt;3', 'Tom & Jerry <3'],
    ['2 * 3 * 4 = 24, 2*3 too', '2 * 3 * 4 = 24, 2*3 too'],
    ['snake_case and 5_000', 'snake_case and 5_000'],
    ['\\*not bold\\* and a \\_ too', '*not bold* and a _ too'],
    ['``a `b` c`` and `x * y * z`', 'a `b` c and x * y * z'],
    ['an **unclosed mark', 'an unclosed mark'],
    ['closed elsewhere** it is', 'closed elsewhere it is'],
    ['| a | b |\n|---|:-:|\n| 1 | 2 |', 'a, b 1, 2'],
    ['one\n\n---\n\ntwo', 'one two'],
    ['x < y and y > z', 'x < y and y > z'],
    ['今天**天气**很好。', '今天天气很好。'],
  ])('%j', (source, text) => {
    expect(toSpeakable(source).text).toBe(text)
  })
})

describe('emoji are not said', () => {
  it.each([
    ['Great 👍!', 'Great!'],
    ['Hi 👋 there', 'Hi there'],
    ['👨‍👩‍👧 family, 🇫🇷🇩🇪 flags, 👍🏽 skin, ❤️ heart', 'family, flags, skin, heart'],
    ['1️⃣ first', '1 first'],
    ['Colloquy™ © 2026', 'Colloquy™ © 2026'],
    ['Bonjour !', 'Bonjour !'],
    ['🏴󠁧󠁢󠁥󠁮󠁧󠁿 England', 'England'],
  ])('%j', (source, text) => {
    expect(toSpeakable(source).text).toBe(text)
  })

  it.each(['🎉', '---', '**', '```', '|---|', '👍 🎉', '…', '', ' \n '])('%j leaves nothing to say', (source) => {
    expect(toSpeakable(source).text).toBe('')
  })
})

describe('code blocks', () => {
  it('the fence and its language are not said, the code is, as it stands', () => {
    expect(toSpeakable('Run this:\n```sh\nnpm install --save *_x_*\n```\nDone.').text).toBe(
      'Run this: npm install --save *_x_* Done.',
    )
  })

  it('a block that spans segments is carried by the state', () => {
    const opened = toSpeakable('Like this:\n~~~~js\nlet **a**')
    expect(opened).toEqual({ text: 'Like this: let **a**', state: { fence: '~~~~' } })
    const inside = toSpeakable('# not a heading ```', opened.state)
    expect(inside).toEqual({ text: '# not a heading ```', state: { fence: '~~~~' } })
    expect(toSpeakable('~~~~\n**out**', inside.state)).toEqual({ text: 'out', state: { fence: null } })
  })
})
