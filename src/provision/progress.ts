/** How far provisioning is; for a progress bar. */
export interface Progress {
  what: 'engine' | 'model'
  /** `waiting`: another process is at it. */
  phase: 'waiting' | 'downloading' | 'installing' | 'verifying'
  /** The source being tried, in words. */
  source?: string
  receivedBytes?: number
  totalBytes?: number
  /** Why the source before this one was given up. */
  gaveUp?: string
}

export type OnProgress = (progress: Progress) => void
