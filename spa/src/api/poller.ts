/**
 * Poll the server: one call at a time, none while the page is hidden, with backoff while the server is unreachable.
 * Independent of Vue.
 */
import { isAbort, isTransient, Problem } from './problem'

export interface PollerOptions<T> {
  /** Read the value. Never called while a previous call is open. */
  load: (signal: AbortSignal) => Promise<T>
  /** Return the milliseconds until the next call; null stops the polling until `wake` is called. */
  intervalMs: (value: T) => number | null
  onValue?: (value: T) => void
  onError?: (error: unknown, willRetry: boolean) => void
}

const MIN_BACKOFF_MS = 2_000
const MAX_BACKOFF_MS = 30_000

/** Return the pause after a number of failures in a row: doubled each time, ± 20 % so that open tabs do not retry together. */
export function backoffMs(failures: number, random = Math.random()): number {
  const pause = Math.min(MIN_BACKOFF_MS * 2 ** (failures - 1), MAX_BACKOFF_MS)
  return pause * (0.8 + 0.4 * random)
}

export class Poller<T> {
  private controller: AbortController | null = null
  private timer: ReturnType<typeof setTimeout> | null = null
  private failures = 0
  private isStopped = false
  private isDueWhenVisible = false
  private isWakePending = false

  constructor(private readonly options: PollerOptions<T>) {
    document.addEventListener('visibilitychange', this.onVisibility)
    window.addEventListener('online', this.wake)
  }

  /** Load now. If a call is open, load again after it: its response may be older than the change that the caller expects. */
  readonly wake = (): void => {
    if (this.isStopped) return
    if (this.controller) {
      this.isWakePending = true
      return
    }
    this.clearTimer()
    void this.load()
  }

  /** Abort the open call, whose result is no longer needed, and load now. */
  readonly restart = (): void => {
    this.controller?.abort()
    this.controller = null
    this.failures = 0
    this.wake()
  }

  readonly stop = (): void => {
    this.isStopped = true
    this.clearTimer()
    this.controller?.abort()
    document.removeEventListener('visibilitychange', this.onVisibility)
    window.removeEventListener('online', this.wake)
  }

  private readonly onVisibility = (): void => {
    if (document.hidden || !this.isDueWhenVisible) return
    this.isDueWhenVisible = false
    this.wake()
  }

  private async load(): Promise<void> {
    const controller = new AbortController()
    this.controller = controller
    this.isWakePending = false
    let pauseMs: number | null
    try {
      const value = await this.options.load(controller.signal)
      if (this.controller !== controller) return
      this.failures = 0
      this.options.onValue?.(value)
      pauseMs = this.options.intervalMs(value)
    } catch (error) {
      if (this.controller !== controller || isAbort(error)) return
      pauseMs = this.onFailure(error)
    }
    this.controller = null
    this.schedule(this.isWakePending ? 0 : pauseMs)
  }

  private onFailure(error: unknown): number | null {
    this.failures += 1
    const willRetry = isTransient(error)
    this.options.onError?.(error, willRetry)
    if (!willRetry) return null
    const retryAfterMs = error instanceof Problem ? (error.retryAfterS ?? 0) * 1000 : 0
    return Math.max(backoffMs(this.failures), Math.min(retryAfterMs, MAX_BACKOFF_MS))
  }

  private schedule(pauseMs: number | null): void {
    if (this.isStopped || pauseMs === null) return
    this.timer = setTimeout(() => {
      this.timer = null
      if (document.hidden) this.isDueWhenVisible = true
      else void this.load()
    }, pauseMs)
  }

  private clearTimer(): void {
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
  }
}
