import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { cacheFolder } from '../../src/provision/cache-folder.ts'
import { engineManifest, engineSource } from '../../src/provision/engine-manifest.ts'
import { enginePlatform } from '../../src/provision/engine-platform.ts'
import { engineFolder } from '../../src/provision/engine-folder.ts'
import { provisionEngine } from '../../src/provision/provision-engine.ts'
import { systemClock } from '../../src/runtime/clock.ts'

const linux = { platform: 'linux', arch: 'x64', musl: false }

describe.skipIf(process.platform === 'win32')('provisionEngine', () => {
  let cacheDir: string
  let bin: string
  beforeEach(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'colloquy-provision-'))
    bin = await mkdtemp(join(tmpdir(), 'colloquy-bin-'))
  })
  afterEach(async () => {
    await rm(cacheDir, { recursive: true, force: true })
    await rm(bin, { recursive: true, force: true })
  })
  /** An npm that does as the test says; `node` and the shell's tools stay on the path. */
  async function npm(script: string): Promise<void> {
    await writeFile(join(bin, 'npm'), `#!/bin/sh\n${script}\n`)
    await chmod(join(bin, 'npm'), 0o755)
  }
  const provision = (more = {}) =>
    provisionEngine({
      clock: systemClock,
      cacheDir,
      machine: linux,
      environment: { PATH: `${bin}:/usr/bin:/bin` },
      ...more,
    })
  const module = (body: string) =>
    `mkdir -p node_modules/node-llama-cpp/dist && printf '{"type":"module"}' > node_modules/node-llama-cpp/package.json && printf '${body}' > node_modules/node-llama-cpp/dist/index.js`

  it('installs from the shipped lock file, tries it and puts it in place', async () => {
    const seen = join(bin, 'seen')
    await npm(
      `echo "$@ $NODE_LLAMA_CPP_SKIP_DOWNLOAD" > ${seen}; cp package-lock.json ${bin}\n${module('export async function getLlama() {}')}`,
    )
    const folder = await provision()
    expect(basename(folder)).toBe('engine-3.21.1-linux-x64')
    expect(await readdir(cacheDir)).toEqual(['engine-3.21.1-linux-x64'])
    expect(await readFile(seen, 'utf8')).toMatch(/^ci --ignore-scripts --omit=optional .*true\n$/u)
    await npm('exit 1')
    expect(await provision()).toBe(folder)
  })

  it.each([
    ['npm cannot reach its registry (ENOTFOUND)', 'echo "npm error code ENOTFOUND" >&2; exit 1', 'connection'],
    ['The disk became full', 'echo "npm error code ENOSPC" >&2; exit 1', 'config'],
    ['npm could not install the embedded engine (exit 7)', 'exit 7', 'connection'],
    ['does not run on this machine', module('throw new Error()'), 'config'],
  ])('a failure is one line and leaves nothing: %s', async (message, script, code) => {
    await npm(script)
    const error: unknown = await provision().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
    expect(String(error)).not.toContain('\n')
    expect(await readdir(cacheDir)).toEqual([])
  })

  it('without npm it says so', async () => {
    const error = provision({ environment: { PATH: bin } })
    await expect(error).rejects.toMatchObject({ code: 'config', fault: 'no-npm' })
    expect(await readdir(cacheDir)).toEqual([])
  })

  it('an npm that hangs is ended after its time', async () => {
    await npm('exec sleep 600')
    await expect(provision({ timeLimitMs: 50 })).rejects.toMatchObject({ fault: 'time-limit' })
    expect(await readdir(cacheDir)).toEqual([])
  })

  it('a signal ends it and leaves nothing', async () => {
    await npm('exec sleep 600')
    const controller = new AbortController()
    const onProgress = () => controller.abort(new Error('ctrl-c'))
    await expect(provision({ signal: controller.signal, onProgress })).rejects.toThrow('ctrl-c')
    expect(await readdir(cacheDir)).toEqual([])
  })

  it('what an interrupted attempt left is cleared away', async () => {
    await mkdir(join(cacheDir, 'engine-3.21.1-linux-x64.tmp-4711'))
    await npm(module('export async function getLlama() {}'))
    await provision()
    expect(await readdir(cacheDir)).toEqual(['engine-3.21.1-linux-x64'])
  })

  it('of two at once one waits', async () => {
    const count = join(bin, 'count')
    await npm(`echo x >> ${count}\n${module('export async function getLlama() {}')}`)
    const both = await Promise.all([provision(), provision()])
    expect(both[0]).toBe(both[1])
    expect(await readFile(count, 'utf8')).toBe('x\n')
  })
})

describe('the engine’s platform', () => {
  it.each([
    ['linux', 'x64', 'linux-x64'],
    ['linux', 'arm64', 'linux-arm64'],
    ['darwin', 'arm64', 'mac-arm64-metal'],
    ['darwin', 'x64', 'mac-x64'],
    ['win32', 'x64', 'win-x64'],
  ])('%s on %s has a build', async (platform, arch, build) => {
    expect(enginePlatform({ platform, arch, musl: false })).toBe(build)
    const { manifest, lock } = await engineManifest(build)
    expect(JSON.parse(manifest)).toMatchObject({ dependencies: { [`@node-llama-cpp/${build}`]: '3.21.1' } })
    expect(lock.match(/node_modules\/@node-llama-cpp\//gu)).toHaveLength(1)
    // Packages may come from any mirror.
    expect(lock).not.toContain('"resolved"')
  })

  it('82: every package of the shipped lock file has its hash, those of other platforms too', async () => {
    const Lock = z.object({ packages: z.record(z.string(), z.object({ integrity: z.string().optional() })) })
    const { packages } = Lock.parse(JSON.parse(await readFile(join(engineSource(), 'package-lock.json'), 'utf8')))
    const entries = Object.entries(packages).filter(([path]) => path !== '')
    expect(entries.length).toBeGreaterThan(100)
    expect(entries.filter(([, { integrity = '' }]) => !/^sha512-[\w+/]{86}==$/u.test(integrity))).toEqual([])
  })

  it('musl and strange machines are one line with what to do', async () => {
    expect(() => enginePlatform({ platform: 'linux', arch: 'x64', musl: true })).toThrow(/glibc.*COLLOQUY_BASE_URL/u)
    expect(() => enginePlatform({ platform: 'aix', arch: 'ppc64', musl: false })).toThrow(/aix.*COLLOQUY_BASE_URL/u)
    await expect(engineFolder('/nowhere', { platform: 'sunos', arch: 'x64', musl: false })).rejects.toThrow('sunos')
  })

  it('the cache folder follows its variables', () => {
    expect(cacheFolder({ COLLOQUY_CACHE_DIR: '/own', XDG_CACHE_HOME: '/xdg' })).toBe('/own')
    expect(cacheFolder({ XDG_CACHE_HOME: '/xdg' })).toBe(join('/xdg', 'colloquy'))
    expect(cacheFolder({})).toMatch(/\.cache[\\/]colloquy$/u)
  })
})
