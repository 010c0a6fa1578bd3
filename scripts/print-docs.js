// Prints the parts of the documentation that come from the code, after `npm run build`: `npm run docs`.
import { readFile, writeFile } from 'node:fs/promises'
import { describeConfig } from '../dist/src/config/describe-config.js'
import { describeCharts, describeConversation } from '../dist/src/inspection/describe-charts.js'
import * as machines from '../dist/machines/index.js'

const page = (name) => new URL(`../${name}`, import.meta.url)

/** Replaces what stands between a marker and the end marker after it. */
async function fill(name, marker, content) {
  const start = `<!-- ${marker} -->\n`
  const end = '\n<!-- until here -->'
  const text = await readFile(page(name), 'utf8')
  const from = text.indexOf(start)
  const to = text.indexOf(end, from)
  if (from < 0 || to < 0) throw new Error(`${name} has no place marked "${marker}"`)
  await writeFile(page(name), text.slice(0, from + start.length) + content + text.slice(to))
}

await fill('docs/configuration.md', 'printed from the schema', describeConfig())
await fill('docs/statecharts.md', 'drawn from the machines', describeCharts(machines))
await fill('README.md', 'drawn from the machine', describeConversation(machines.conversationMachine))
