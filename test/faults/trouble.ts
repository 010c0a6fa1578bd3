/** What a method of a collaborator does instead of its work. */
export interface Trouble {
  readonly name: string
  run(): unknown
}

const mistake = () => new Error('a mistake of the program')

/** Nothing of it can be read. */
const unreadable: unknown = new Proxy(() => {}, {
  get() {
    throw mistake()
  },
})

/** Troubles of every method, also of one that has nothing to return. */
export const failures: readonly Trouble[] = [
  {
    name: 'throws',
    run() {
      throw mistake()
    },
  },
  {
    name: 'throws something unreadable',
    run() {
      throw unreadable
    },
  },
  {
    async run() {
      throw mistake()
    },
    name: 'rejects',
  },
  {
    name: 'rejects later, with nothing',
    async run() {
      await Promise.resolve()
      return Promise.reject(undefined)
    },
  },
  {
    name: 'returns a thenable that throws',
    run() {
      const promise = {}
      Reflect.set(promise, 'then', () => {
        throw mistake()
      })
      return promise
    },
  },
]

/** Troubles of a method that is asked for something. */
export const oddities: readonly Trouble[] = [
  { name: 'returns something unreadable', run: () => unreadable },
  { name: 'returns undefined', run: () => undefined },
  { name: 'returns null', run: () => null },
  { name: 'returns NaN', run: () => Number.NaN },
  { name: 'returns -1', run: () => -1 },
  { name: 'returns a text', run: () => 'something else' },
  { name: 'returns an empty object', run: () => ({}) },
  { name: 'resolves with undefined', run: async () => undefined },
  { name: 'resolves with a list of nothing', run: async () => [null, undefined, 5] },
  { name: 'never settles', run: () => new Promise(() => {}) },
]
