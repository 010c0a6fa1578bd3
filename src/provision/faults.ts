import { mkdir, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { LlmError } from '../backends/contract.ts'

const reasons = new Map([
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the disk quota is used up'],
  ['EACCES', 'it may not be written by this user'],
  ['EPERM', 'it may not be written by this user'],
  ['ENOENT', 'no folder can be made there'],
  ['EROFS', 'it is on a read-only disk'],
  ['ENOTDIR', 'a part of its path is a file'],
  ['EEXIST', 'a file is in its place'],
  ['EISDIR', 'a folder in it has the name of a file'],
  ['ERR_FS_EISDIR', 'a folder in it has the name of a file'],
  ['ENOTEMPTY', 'a folder in it has the name of a file'],
])

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** An error of the file system in words, with what to do; any other error as it is. */
export function fileFault(error: unknown, folder: string): unknown {
  const reason = reasons.get(codeOf(error) ?? '')
  if (reason === undefined) return error
  const message = `The cache folder ${folder} cannot be used: ${reason}; free it or set COLLOQUY_CACHE_DIR to another.`
  return new LlmError('config', { message, cause: error, fault: 'cache-folder' })
}

/**
 * Makes a folder and those above it. Not Node's recursive mkdir: where the system answers ENOENT although the parent is
 * there (below /proc), that one tries for ever.
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return
    if (code !== 'ENOENT' || dirname(folder) === folder || (await isFolder(dirname(folder)))) throw error
    await makeFolder(dirname(folder))
    await mkdir(folder)
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`

/** Makes the folder, and refuses with `config` where it cannot hold `bytes` more. */
export async function needSpace(folder: string, bytes: number): Promise<void> {
  try {
    await makeFolder(folder)
    const { bavail, bsize } = await statfs(folder)
    if (bavail * bsize >= bytes) return
    const message = `${folder} needs ${megabytes(bytes)} of disk space and has ${megabytes(bavail * bsize)}; free some or set COLLOQUY_CACHE_DIR to another disk.`
    throw new LlmError('config', { message, fault: 'disk-space' })
  } catch (error) {
    throw fileFault(error, folder)
  }
}
