import { constants } from 'node:fs'
import { lstat, open, type FileHandle } from 'node:fs/promises'
import { LlmError } from '../backends/contract.ts'
import { codeOf } from './faults.ts'

// Windows has no such flag; there the look before and after must do.
const noFollow = constants.O_NOFOLLOW ?? 0

/**
 * Opens a file that this library alone writes, to read it and to write at its end. undefined where it is not there and
 * is not to be made. Rejects with `config` where something else stands in its place: written through a link, another
 * file would be changed; a pipe would be waited for.
 */
export async function openOwn(path: string, { make }: { make: boolean }): Promise<FileHandle | undefined> {
  if (!(await isOwn(path)) && !make) return undefined
  let file: FileHandle | undefined
  try {
    file = await open(path, constants.O_RDWR | constants.O_APPEND | noFollow | (make ? constants.O_CREAT : 0), 0o666)
    const { nlink } = await file.stat()
    if (nlink > 1 || !(await isOwn(path))) throw strange(path)
    return file
  } catch (error) {
    await file?.close()
    if (codeOf(error) === 'ENOENT' && !make) return undefined
    throw codeOf(error) === 'ELOOP' ? strange(path) : error
  }
}

/** Whether there is a plain file with one name; false where there is nothing. Rejects with `config` for anything else. */
export async function isOwn(path: string): Promise<boolean> {
  try {
    const found = await lstat(path)
    if (!found.isFile() || found.nlink > 1) throw strange(path)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

const strange = (path: string): LlmError =>
  new LlmError('config', {
    message: `${path} is not a plain file (a link, a folder or a device stands in its place); remove it and try again.`,
    backend: 'embedded',
    fault: 'strange-file',
  })
