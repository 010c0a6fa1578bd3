import { defineConfig } from 'vitest/config'

const helper = new URL('without-transition.mjs', import.meta.url).pathname

/** Puts the mutating `setup` in the place of XState's in the charts. */
const mutate = {
  name: 'without-a-transition',
  enforce: 'pre',
  transform(code, id) {
    if (!/\/machines\/[\w/-]+\.ts$/u.test(id) || !/import \{[^}]*\bsetup\b[^}]*\} from 'xstate'/u.test(code)) return null
    return code.replace(
      /import \{([^}]*)\bsetup\b([^}]*)\} from 'xstate'/u,
      (_, before, after) =>
        `import { mutating as __mutating } from '${helper}'; import {${before}setup as __setup${after}} from 'xstate'; const setup = __mutating(__setup)`,
    )
  },
}

export default defineConfig({
  plugins: [mutate],
  test: { include: ['test/**/*.test.ts'], testTimeout: 60_000, reporters: ['dot'], silent: true },
})
