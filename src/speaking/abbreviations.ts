/**
 * Words that carry a full stop without ending a sentence. The languages are merged: a model changes language without
 * notice, and hardly any entry is an ordinary word of another language with a capital after it.
 */

const words = (list: string): ReadonlySet<string> => new Set(list.trim().split(/\s+/))

/** A name or an explanation follows: never an end. */
const beforeMore = words(`
  mr mrs ms mx dr drs prof messrs mme mlle mgr rev hon gen col capt cmdr lt sgt maj gov sen rep pres supt fr st ste
  vs cf viz approx ca bzw bspw ggf sog inkl exkl evtl hr hrn frl vgl abb geb gest zzgl str
  np tzn tj tzw inż mgr ks
  sra srta dra dña ud uds sres ej av avda pza
  sig dott ing avv
  dhr mevr bijv
  ул им ср напр тов проф акад
  e.g i.e z.b d.h u.a p.ej v.a o.ä s.o s.u m.a.w d.w.z т.е т.к c.-à-d p.ex`)

/** A number follows, or it was a word that ended the sentence. */
const beforeNumber = words(`
  no nos fig figs p pp vol vols ch chap sec art op eq nr núm num n pág págs ziff bd s
  jan feb mar apr jun jul aug sep sept oct nov dec okt dez mär janv févr avr juil déc ene abr ago dic
  стр рис гл`)

/** May end a sentence or not: the next word has to tell. */
const either = words(`
  etc inc ltd co corp jr sr bros llc plc dept est ave blvd rd mt ft univ assn mfg
  a.m p.m u.s u.k u.n e.u u.s.a d.c ph.d m.d b.a m.a b.c a.d usw u.s.w mio mrd tel std gmbh al
  cía ee.uu vd др т.д т.п пр руб тыс млн млрд г см`)

/** Words that begin sentences far more often than they follow an abbreviation or an initial. */
const english = words(`
    a after all also although an and any are as at because before both but by can could did do does each even every few
    first for from had has have he her here his how however i i'm i'll i've if in instead is it it's its just last later let
    let's like many maybe meanwhile more most my next no nobody not nothing now of on once one only or our over perhaps
    please second she should since so some soon still such take thanks that that's the their them then there there's these
    they they're this those though three to today tomorrow tonight try two under until use was we we'll we're were what when
    where which while who whose why will with would yes yesterday yet you you'll you're your`)

const starters: Record<string, ReadonlySet<string>> = {
  de: words(`
    aber als auch auf bei bitte da danach dann das dein den denn der des deshalb die dies diese dieser dieses doch du ein
    eine einen er es für heute hier ich ihr im ist ja jetzt man mein mit nach nein noch nun ob oder schon sehr sein seit
    sie sind so trotzdem um und uns unser vielleicht von wann war warum was weil wenn wer wie wir wird wo zu zum`),
  fr: words(`
    alors après au aussi avec avant bien ce cela ces cet cette ceci comme dans depuis des donc du elle elles en est et
    ici il ils je la le les leur mais merci mon ne non nous on où ou oui par parce pas pendant plus pour puis quand que
    quel quelle qui quoi sans si son sur tous tout toutes très tu un une vous`),
  es: words(`
    además ahora algo algunos allí antes aquí así aunque cada como con cuando de después donde ella ellos entonces era
    eran es esa ese eso esta estas este esto estos fue gracias hay hoy la las lo los luego más mi mientras muy nada ni
    nosotros nuestra nuestro para pero por porque pues qué quién se según ser si sí sin sobre también todas todo todos
    tras tú un una usted y ya yo`),
  it: words(`
    anche che ci come con dopo dove è ella essi il lo ma mi noi per perché però più poi qui quando questa questo se sì
    sono tutti voi`),
  ru: words(`
    а без был была были в вам вас вот все всё вы да для до его её ему если есть ещё же за здесь и из или им их к как
    когда кто мне мой мы на наш не него нет но ну о он она они оно от по после потом потому почему при с сегодня сейчас
    спасибо так также там тебе теперь то тогда тоже только ты у уже хотя что чтобы это этот я`),
  nl: words(`
    het een de dat dit deze en er hij ik je maar niet ook wat we wij ze zij`),
}

export type Abbreviation = 'before-more' | 'before-number' | 'either' | 'none'

/** What the word before a single full stop says of the sentence; `word` comes without it and without what opens it. */
export function abbreviationOf(word: string): Abbreviation {
  // Initials: `J.`, and what is dotted inside: `U.N.`, `J.R.R.`, `т.п.`
  const folded = word.toLowerCase()
  if (word.slice(1) === folded.slice(1) || word.includes('.')) {
    if (beforeMore.has(folded)) return 'before-more'
    if (either.has(folded)) return 'either'
  }
  if (/^\p{Lu}\p{M}*$/u.test(word)) return 'either'
  if (/^(?:\p{L}{1,2}\.-?)+\p{L}{1,2}$/u.test(word)) return 'either'
  return beforeNumber.has(folded) ? 'before-number' : 'none'
}

/** Whether a sentence is likely to begin with this word where an abbreviation stands before it. */
export function isStarter(word: string, language: string): boolean {
  const folded = word.toLowerCase().replaceAll('’', "'")
  return english.has(folded) || starters[language.slice(0, 2).toLowerCase()]?.has(folded) === true
}
