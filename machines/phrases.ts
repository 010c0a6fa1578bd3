/** What people say to show that they listen, and to make the assistant stop, by language (ISO 639). */

const backchannels: Record<string, readonly string[]> = {
  en: [
    'uh-huh',
    'mm-hmm',
    'mhm',
    'mm',
    'hmm',
    'yeah',
    'yes',
    'yep',
    'ok',
    'okay',
    'right',
    'sure',
    'i see',
    'got it',
    'aha',
    'ah',
    'oh',
    'alright',
  ],
  de: ['mhm', 'hm', 'aha', 'ja', 'ja ja', 'okay', 'ok', 'genau', 'klar', 'ach so', 'gut'],
  fr: ['mhm', 'hum', 'oui', 'ouais', 'd’accord', 'ok', 'ah', 'ah bon', 'je vois', 'bien'],
  es: ['mhm', 'ajá', 'sí', 'vale', 'ok', 'claro', 'ya', 'bueno', 'entiendo'],
  it: ['mhm', 'sì', 'ok', 'certo', 'già', 'capito', 'va bene', 'ah'],
  pt: ['uhum', 'aham', 'sim', 'ok', 'certo', 'tá', 'entendi', 'claro'],
  nl: ['mhm', 'hm', 'ja', 'oké', 'ok', 'precies', 'goed'],
  pl: ['mhm', 'aha', 'tak', 'no', 'ok', 'dobrze', 'jasne'],
  ru: ['угу', 'ага', 'да', 'так', 'понятно', 'ясно', 'хорошо', 'ок'],
  ja: ['うん', 'うんうん', 'はい', 'ええ', 'へえ', 'なるほど', 'そうですね', 'そう'],
  zh: ['嗯', '哦', '对', '好', '好的', '是', '是的', '行'],
  ko: ['응', '네', '예', '아', '그래', '그렇군요', '맞아요'],
  hi: ['हाँ', 'हां', 'अच्छा', 'ठीक है', 'जी'],
}

const stopWords: Record<string, readonly string[]> = {
  en: ['stop', 'be quiet', 'quiet', 'shut up'],
  de: ['stopp', 'stop', 'halt', 'sei still', 'ruhe', 'sei ruhig'],
  fr: ['stop', 'arrête', 'tais-toi', 'silence', 'taisez-vous'],
  es: ['para', 'basta', 'cállate', 'silencio'],
  it: ['basta', 'fermati', 'stai zitto', 'zitto', 'silenzio'],
  pt: ['pare', 'para', 'chega', 'cala a boca', 'silêncio'],
  nl: ['stop', 'wees stil', 'stil', 'hou op'],
  pl: ['stop', 'przestań', 'cicho', 'bądź cicho'],
  ru: ['стоп', 'хватит', 'замолчи', 'тихо'],
  ja: ['止めて', 'ストップ', 'やめて', '静かに', '黙って'],
  zh: ['停', '停止', '别说了', '安静', '闭嘴'],
  ko: ['그만', '멈춰', '조용히 해', '조용'],
  hi: ['रुको', 'बस', 'चुप', 'चुप रहो'],
}

/** Words that show listening and do not interrupt; English for a language that is not listed. */
export function backchannelsOf(language: string): readonly string[] {
  return phrasesOf(backchannels, language)
}

/** Words that silence the assistant and want no answer; English for a language that is not listed. */
export function stopWordsOf(language: string): readonly string[] {
  return phrasesOf(stopWords, language)
}

function phrasesOf(lists: Record<string, readonly string[]>, language: string): readonly string[] {
  return lists[language.split('-')[0]?.toLowerCase() ?? ''] ?? lists['en'] ?? []
}
