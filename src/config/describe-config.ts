import { listSettings, type Setting } from './list-settings.ts'

/** A Markdown table of every setting, its variable, default and bounds; printed from the schema. */
export function describeConfig(): string {
  const rows = listSettings().map(
    ({ path, variable, byDefault, allowed, meaning }) =>
      `| \`${path}\`<br>\`${variable}\` | ${shown(byDefault)} | ${cell(allowed)} | ${cell(meaning)} |`,
  )
  return ['| setting, variable | default | allowed | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

/** The same for a terminal: a line each, the longer ones cut at `columns`. */
export function describeConfigPlainly(columns = 120): string {
  const settings = listSettings()
  const width = Math.max(...settings.map(({ path }) => path.length))
  return settings.map((setting) => clip(`  ${setting.path.padEnd(width)}  ${plainly(setting)}`, columns)).join('\n')
}

function plainly({ byDefault, meaning }: Setting): string {
  return byDefault === undefined ? meaning : `[${text(byDefault)}] ${meaning}`
}

function clip(line: string, columns: number): string {
  return line.length > columns ? `${line.slice(0, columns - 1)}…` : line
}

function shown(byDefault: unknown): string {
  return byDefault === undefined ? '' : `\`${cell(text(byDefault))}\``
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function cell(content: string): string {
  return content.replaceAll('|', '\\|')
}
