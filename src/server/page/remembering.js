/** What the page keeps in the browser: the conversation and the token for this tab, the theme for good. */

export function remembered(key) {
  return sessionStorage.getItem(`colloquy.${key}`)
}

/** The token comes behind the #, which is sent to nobody; it is taken out of the address at once. */
export function takeTokenFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token')
  if (given === null) return
  sessionStorage.setItem('colloquy.token', given)
  history.replaceState(null, '', location.pathname)
}

export function showTheme(theme) {
  localStorage.setItem('colloquy.theme', theme)
  if (theme === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
  document.getElementById('theme').setAttribute('aria-label', `Theme: ${theme === 'auto' ? 'as the system' : theme}`)
}

/** From the system to light to dark and around. */
export function nextTheme() {
  const order = ['auto', 'light', 'dark']
  showTheme(order[(order.indexOf(localStorage.getItem('colloquy.theme') ?? 'auto') + 1) % 3])
}
