import type { Milliseconds } from '../../machines/vocabulary.ts'

/** Speech time of one character, by script (`segments.charMs`). */
export interface CharMs {
  /** Latin and all other alphabets. */
  readonly latin: Milliseconds
  /** Han, kana and hangul: a syllable or a word each. */
  readonly han: Milliseconds
}

/** How long a voice should take over a text. An estimate: it decides when to hurry and when a sink has stalled. */
export function expectedSpeechMs(text: string, charMs: CharMs): Milliseconds {
  let syllables = 0
  let secondHalves = 0
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i)
    if (code < 0x3040) continue
    const isSyllable =
      code <= 0x30ff ||
      (code >= 0x3400 && code <= 0x9fff) ||
      (code >= 0xac00 && code <= 0xd7a3) ||
      (code >= 0xf900 && code <= 0xfaff) ||
      (code >= 0xd840 && code <= 0xd88f)
    if (isSyllable) syllables += 1
    if (code >= 0xdc00 && code <= 0xdfff) secondHalves += 1
  }
  return syllables * charMs.han + (text.length - syllables - secondHalves) * charMs.latin
}
