/**
 * Follow one request until it has ended. For other front ends: it needs only this folder and no framework.
 *
 *     const request = await pollStatus(id, { onUpdate: (now) => show(now.status, now.progress.fraction) })
 *     if (request.status === 'completed') …
 *
 * It polls every two seconds while the request is pending or processing. It sends the last ETag, so that an unchanged
 * request costs an empty response. It pauses while the page is hidden, and backs off up to 30 s while the server is
 * unreachable. It rejects with `Problem` if the request does not exist (404) or reading it is forbidden (401, 403),
 * and with AbortError if `signal` fires.
 */
import { conditionalReader } from './client'
import { Poller } from './poller'
import { isLive, type Request } from './types'

export const POLL_INTERVAL_MS = 2_000

export interface PollStatusOptions {
  onUpdate?: (request: Request) => void
  signal?: AbortSignal
}

export function pollStatus(requestId: string, options: PollStatusOptions = {}): Promise<Request> {
  const read = conditionalReader<Request>()
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
      intervalMs: (request) => (isLive(request) ? POLL_INTERVAL_MS : null),
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
