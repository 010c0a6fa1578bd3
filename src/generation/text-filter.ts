/** A piece of what the model wrote, with what it is. */
export interface Filtered {
  kind: 'text' | 'thinking'
  text: string
}

/** Sorts out what a model writes into its text that nobody should hear. */
export interface TextFilter {
  push(text: string): Filtered[]
  /** What was held back because it might have become a token. */
  end(): Filtered[]
  /** Template tokens left out so far. */
  readonly stripped: number
}

// Chat templates leak: Llama 2 and 3, ChatML, Gemma, Phi, DeepSeek (with its own bars).
const token =
  /<[|｜][^<>|｜\s]{1,40}[|｜]>|<\/?s>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>|\[\/?INST\]|<<\/?SYS>>|<\/?think(?:ing)?>/gu
/** The beginning of what may become one, at the end of what has come so far. */
const begun = /(?:<[^<>\s]{0,42}|<<\/?[SY]{0,3}>?|\[[/INST]{0,5})$/u

/**
 * Takes template tokens out of the text and turns `<think>…</think>` written into it to thinking. However the text is
 * sliced, the same comes out.
 */
export function createTextFilter(): TextFilter {
  let held = ''
  let kind: Filtered['kind'] = 'text'
  let stripped = 0

  function sort(text: string): Filtered[] {
    const pieces: Filtered[] = []
    let from = 0
    for (const match of text.matchAll(token)) {
      if (match.index > from) pieces.push({ kind, text: text.slice(from, match.index) })
      from = match.index + match[0].length
      if (match[0].startsWith('<think')) kind = 'thinking'
      else if (match[0].startsWith('</think')) kind = 'text'
      else stripped++
    }
    if (from < text.length) pieces.push({ kind, text: text.slice(from) })
    return pieces
  }

  return {
    push(text) {
      // The common case costs two scans and no allocation but the result.
      if (held === '' && !text.includes('<') && !text.includes('[')) return [{ kind, text }]
      const all = held + text
      held = begun.exec(all)?.[0] ?? ''
      return sort(all.slice(0, all.length - held.length))
    },
    end() {
      const rest = held
      held = ''
      return sort(rest)
    },
    get stripped() {
      return stripped
    },
  }
}
