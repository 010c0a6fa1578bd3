// Runs a TypeScript bench on Node 20, which runs none itself: node bench/run.mjs bench/NAME.ts [ARGUMENTS]
import { resolve } from 'node:path'
import { runnerImport } from 'vite'

const [file = '', ...rest] = process.argv.slice(2)
process.argv.splice(1, process.argv.length - 1, resolve(file), ...rest)
await runnerImport(resolve(file), { logLevel: 'error', configFile: false })
