/**
 * For other front ends: follow one request until it has ended. It needs this folder and no framework.
 *
 *     const request = await pollStatus(id, { onUpdate: (now) => show(now.status, now.progress.fraction) })
 *     if (request.status === 'completed') …
 *
 * Asks every two seconds while the request is pending or processing, with the last ETag, so that an unchanged
 * request costs an empty answer; pauses while the page is hidden; survives a server that is away by asking ever
 * more rarely, at most every 30 s. Rejects with `Problem` when the request does not exist (404) or may not be
 * read (401, 403), and with AbortError when `signal` fires.
 */
import { conditional } from './client'
import { Poller } from './poller'
import { isLive, type Request } from './types'

export const EVERY_MS = 2_000

export interface PollStatusOptions {
  onUpdate?: (request: Request) => void
  signal?: AbortSignal
}

export function pollStatus(requestId: string, options: PollStatusOptions = {}): Promise<Request> {
  const read = conditional<Request>()
  return new Promise((resolve, reject) => {
    let last: Request | null = null
    const end = (then: () => void) => {
      poller.stop()
      options.signal?.removeEventListener('abort', abort)
      then()
    }
    const abort = () => end(() => reject(new DOMException('Polling was aborted.', 'AbortError')))
    const poller = new Poller<Request>({
      load: (signal) => read(`/requests/${encodeURIComponent(requestId)}`, { signal }),
      intervalMs: (request) => (isLive(request) ? EVERY_MS : null),
      onValue: (request) => {
        if (request !== last) options.onUpdate?.(request)
        last = request
        if (!isLive(request)) end(() => resolve(request))
      },
      onError: (error, willRetry) => {
        if (!willRetry) end(() => reject(error))
      },
    })
    options.signal?.addEventListener('abort', abort)
    if (options.signal?.aborted) abort()
    else poller.wake()
  })
}
