import type { OnProgress, Progress } from '../provision/progress.ts'
import type { Printer } from './terminal.ts'

const barCells = 30

/**
 * Shows how far provisioning is: one line that is drawn over at a terminal, elsewhere a line for each phase, source
 * and quarter. `end` leaves the cursor on a line of its own.
 */
export function showProgress(printer: Printer): { onProgress: OnProgress; end(): void } {
  let last = ''
  const isTerminal = printer.isTTY
  return {
    onProgress(progress) {
      if (progress.gaveUp !== undefined) {
        if (isTerminal && last !== '') printer.lines('')
        printer.lines(`  ${progress.gaveUp}`)
        last = ''
      }
      const line = isTerminal ? drawn(progress, printer.columns) : told(progress)
      if (line === last) return
      if (isTerminal) printer.redraw(line)
      else printer.lines(line)
      last = line
    },
    end() {
      if (isTerminal && last !== '') printer.lines('')
      last = ''
    },
  }
}

function drawn(progress: Progress, columns: number): string {
  const { receivedBytes, totalBytes } = progress
  if (receivedBytes === undefined || totalBytes === undefined || totalBytes === 0) return sentence(progress)
  const part = Math.min(1, receivedBytes / totalBytes)
  const full = Math.round(part * barCells)
  const bar = `[${'#'.repeat(full)}${'.'.repeat(barCells - full)}]`
  const line = `${bar} ${String(Math.floor(part * 100)).padStart(3)} %  ${megabytes(receivedBytes)} of ${megabytes(totalBytes)}  ${progress.source ?? progress.what}`
  return line.slice(0, columns - 1)
}

/** What is said once: the quarters of a download, not every byte. */
function told(progress: Progress): string {
  const { receivedBytes, totalBytes } = progress
  if (receivedBytes === undefined || totalBytes === undefined || totalBytes === 0) return sentence(progress)
  const quarter = Math.floor((4 * Math.min(receivedBytes, totalBytes)) / totalBytes)
  return `${sentence(progress)}, ${quarter * 25} % of ${megabytes(totalBytes)}`
}

function sentence({ what, phase, source }: Progress): string {
  const thing = what === 'engine' ? 'the engine' : 'the model'
  switch (phase) {
    case 'waiting':
      return `waiting: another process is fetching ${thing}`
    case 'downloading':
      return `fetching ${thing}${source === undefined ? '' : ` from ${source}`}`
    case 'installing':
      return `installing ${thing} (about 85 MB, once)`
    case 'verifying':
      return `checking ${thing}`
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(bytes < 10_000_000 ? 1 : 0)} MB`
}
