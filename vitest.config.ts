import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/model-weights/**', 'node_modules/**'],
    globalSetup: ['test/support/compile-apart.ts'],
    testTimeout: 20_000,
  },
})
