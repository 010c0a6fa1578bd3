import { defineConfig } from 'vitest/config'

/** Tests with the weights of a real model (92 MB, downloaded once): `npm run test:model`. */
export default defineConfig({
  test: {
    include: ['test/model-weights/**/*.test.ts'],
    globalSetup: ['test/support/compile-apart.ts', 'test/support/pull-smollm2.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
