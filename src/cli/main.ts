import { printLastWords } from './last-words.ts'
import { runCli } from './run-cli.ts'
import { processTerminal } from './terminal.ts'

// A reader that has seen enough (`| head -1`) closes the pipe; that is no fault of ours.
process.stdout.on('error', (error: Error & { code?: string }) => process.exit(error.code === 'EPIPE' ? 0 : 1))

const terminal = processTerminal()
printLastWords(process, terminal)
process.exitCode = await runCli(process.argv.slice(2), terminal)
