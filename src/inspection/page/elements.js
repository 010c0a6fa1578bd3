/**
 * An element with properties and children; `data-`, `aria-` and `role` are attributes.
 * @param {string} tag
 * @param {Record<string, string | number | boolean | undefined>} [properties]
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElement}
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue
    if (name.includes('-') || name === 'role') made.setAttribute(name, String(value))
    else Reflect.set(made, name, value)
  }
  made.append(...children.filter((child) => child !== null && child !== undefined))
  return made
}

/**
 * The element with this id, which the page is known to have.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the page has no #${id}`)
  return found
}

/**
 * Sets text only where it differs, so that nothing flickers and selections stay.
 * @param {Element} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text
}

const clockTime = new Intl.DateTimeFormat('en-GB', {
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
})

/** @param {number} atMs */
export function timeOfDay(atMs) {
  return clockTime.format(atMs)
}

/** The last part of a state's id, which is its name. @param {string} id */
export function shortName(id) {
  return id.slice(id.lastIndexOf('.') + 1)
}

/**
 * An event type as people read it.
 * @param {string} type
 */
export function eventName(type) {
  if (type === '') return 'always'
  const after = /^xstate\.after\.([^.]+)\./.exec(type)
  if (after) return `after ${after[1]}`
  const ended = /^xstate\.(done|error)\.(?:actor|state)\.(.+)$/.exec(type)
  if (ended) return `${ended[2]} ${ended[1]}`
  return type.replace(/^xstate\./, '')
}
