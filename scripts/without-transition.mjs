/** A chart's configuration, with one of its transitions removed. */

/** Every transition of a chart, as `state path: trigger [index]`, in the order of the file. */
export function transitionsOf(config, path = '') {
  const here = []
  for (const [trigger, holder, key] of triggersOf(config)) {
    const all = [holder[key]].flat()
    all.forEach((_, index) => here.push(`${path || 'root'}: ${trigger}${all.length > 1 ? ` [${index}]` : ''}`))
  }
  const below = Object.entries(config.states ?? {}).flatMap(([name, state]) =>
    transitionsOf(state, path === '' ? name : `${path}.${name}`),
  )
  return [...here, ...below]
}

/** The same configuration without the transition of this name. Throws where there is none. */
export function withoutTransition(config, name) {
  const left = remove(config, name, '')
  if (left === config) throw new Error(`no transition is called ${name}`)
  return left
}

function remove(config, name, path) {
  for (const [trigger, holder, key, section] of triggersOf(config)) {
    const all = [holder[key]].flat()
    const index = all.findIndex(
      (_, at) => name === `${path || 'root'}: ${trigger}${all.length > 1 ? ` [${at}]` : ''}`,
    )
    if (index < 0) continue
    const rest = all.filter((_, at) => at !== index)
    return section(rest)
  }
  for (const [below, state] of Object.entries(config.states ?? {})) {
    const left = remove(state, name, path === '' ? below : `${path}.${below}`)
    if (left !== state) return { ...config, states: { ...config.states, [below]: left } }
  }
  return config
}

/** Where transitions stand: [trigger, holder, key, the configuration with these left]. */
function triggersOf(config) {
  const found = []
  for (const kind of ['on', 'after'])
    for (const key of Object.keys(config[kind] ?? {}))
      found.push([
        kind === 'on' ? key : `after ${key}`,
        config[kind],
        key,
        (rest) => ({ ...config, [kind]: without(config[kind], key, rest) }),
      ])
  if (config.always !== undefined)
    found.push(['always', config, 'always', (rest) => without(config, 'always', rest)])
  const invoked = [config.invoke ?? []].flat()
  invoked.forEach((one, at) => {
    for (const key of ['onDone', 'onError', 'onSnapshot'])
      if (one[key] !== undefined)
        found.push([
          `${key} of ${one.id ?? one.src}`,
          one,
          key,
          (rest) => ({ ...config, invoke: invoked.map((same, i) => (i === at ? without(same, key, rest) : same)) }),
        ])
  })
  if (config.onDone !== undefined)
    found.push(['onDone', config, 'onDone', (rest) => without(config, 'onDone', rest)])
  return found
}

function without(holder, key, rest) {
  const { [key]: _, ...others } = holder
  return rest.length === 0 ? others : { ...others, [key]: rest }
}

/** `setup` of XState, whose `createMachine` leaves out the transition named in COLLOQUY_MUTANT (`chart/transition`). */
export function mutating(setup) {
  return (given) => {
    const made = setup(given)
    const create = made.createMachine.bind(made)
    return Object.assign(made, {
      createMachine(config) {
        const [chart, name] = (process.env.COLLOQUY_MUTANT ?? '').split('/')
        return create(chart === config.id ? withoutTransition(config, name) : config)
      },
    })
  }
}
