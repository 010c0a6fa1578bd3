/** A key that no server would give, in a form that every encoding changes. */
export const plantedKey = 'sk-Planted+Key/42'

const forms = [plantedKey, encodeURIComponent(plantedKey), Buffer.from(plantedKey).toString('base64')]

/** Where in a value the planted key is, down to the last property; `nowhere` is the right answer. */
export function findSecret(value: unknown): string {
  const seen = new Set<unknown>()
  const open: [unknown, string][] = [[value, '']]
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const [one, path] = entry
    if (typeof one === 'string' && forms.some((form) => one.includes(form))) return path
    if (typeof one !== 'object' || one === null || seen.has(one)) continue
    seen.add(one)
    if (one instanceof Map || one instanceof Set) {
      let at = 0
      for (const inner of one.values()) open.push([inner, `${path}[${at++}]`])
      if (one instanceof Map) for (const inner of one.keys()) open.push([inner, `${path}.key`])
    }
    for (const name of Reflect.ownKeys(one)) {
      const property = Object.getOwnPropertyDescriptor(one, name)
      if (property !== undefined && 'value' in property) open.push([property.value, `${path}.${String(name)}`])
    }
  }
  return 'nowhere'
}
