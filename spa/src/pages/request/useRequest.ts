/** One request and fetchAllMatching about it, each asked for only when it can have changed. */
import { computed, watch } from 'vue'
import { conditional } from '@/api/client'
import { EVERY_MS } from '@/api/pollStatus'
import { readAttempts, readResult } from '@/api/requests'
import { parseResponse } from '@/api/exactJson'
import { memberText } from '@/components/json/jsonText'
import { isLive, type Attempt, type Request, type Result } from '@/api/types'
import { usePolling } from '@/polling/usePolling'

const CLEANUP_MS = 1_000
const CLEANUP_TRIES = 20

export function useRequest(id: string) {
  let answer = ''
  const read = conditional<Request>((text) => {
    answer = text
    return parseResponse(text)
  })
  const request = usePolling<Request>({
    load: (signal) => read(`/requests/${encodeURIComponent(id)}`, { signal }),
    intervalMs: (now) => (isLive(now) ? EVERY_MS : null),
  })
  const now = request.data

  // The cleanup of the last attempt is stored a moment after the request has ended.
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
    /** The event as the server wrote it. */
    eventText: () => memberText(answer, 'event'),
    refresh: request.refresh,
  }
}

function isCleanupStored(attempts: Attempt[]): boolean {
  const last = attempts.at(-1)
  if (!last) return true
  const cleanup = last.phases.find(({ phase }) => phase === 'cleanup')
  return cleanup?.outcome !== undefined
}
