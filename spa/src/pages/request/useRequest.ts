/** A request with its attempts and result. Each part is loaded again only when it may have changed. */
import { computed, watch } from 'vue'
import { conditionalReader } from '@/api/client'
import { POLL_INTERVAL_MS } from '@/api/pollStatus'
import { readAttempts, readResult } from '@/api/requests'
import { parseResponse } from '@/api/exactJson'
import { memberText } from '@/components/json/jsonText'
import { isLive, type Attempt, type Request, type Result } from '@/api/types'
import { usePolling } from '@/polling/usePolling'

const CLEANUP_MS = 1_000
const CLEANUP_TRIES = 20

export function useRequest(id: string) {
  let responseText = ''
  const read = conditionalReader<Request>((text) => {
    responseText = text
    return parseResponse(text)
  })
  const request = usePolling<Request>({
    load: (signal) => read(`/requests/${encodeURIComponent(id)}`, { signal }),
    intervalMs: (now) => (isLive(now) ? POLL_INTERVAL_MS : null),
  })
  const now = request.data

  // The worker stores the cleanup phase a moment after the request has ended: poll for it.
  let tries = 0
  const attempts = usePolling<Attempt[]>({
    load: (signal) => readAttempts(id, signal),
    intervalMs: (list) =>
      now.value && !isLive(now.value) && !isCleanupStored(list) && tries++ < CLEANUP_TRIES
        ? CLEANUP_MS
        : null,
  })
  const result = usePolling<Result | null>({
    load: (signal) => (now.value?.status === 'completed' ? readResult(id, signal) : Promise.resolve(null)),
    intervalMs: () => null,
  })
  watch(now, () => {
    tries = 0
    attempts.refresh()
    result.refresh()
  })

  return {
    request: now,
    error: request.error,
    attempts: computed(() => attempts.data.value ?? []),
    result: result.data,
    /** Return the event as the server wrote it, with exact numbers. */
    eventText: () => memberText(responseText, 'event'),
    refresh: request.refresh,
  }
}

function isCleanupStored(attempts: Attempt[]): boolean {
  const last = attempts.at(-1)
  if (!last) return true
  const cleanup = last.phases.find(({ phase }) => phase === 'cleanup')
  return cleanup?.outcome !== undefined
}
