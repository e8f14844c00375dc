/** One request and everything about it, each asked for only when it can have changed. */
import { computed, watch } from 'vue'
import { conditional } from '@/api/client'
import { EVERY_MS } from '@/api/pollStatus'
import { readAttempts, readResult } from '@/api/requests'
import { parseAnswer } from '@/api/exact'
import { memberText } from '@/components/json/text'
import { isLive, type Attempt, type Request, type Result } from '@/api/types'
import { usePolling } from '@/polling/usePolling'

const CLEANUP_MS = 1_000
const CLEANUP_TRIES = 20

export function useRequest(id: string) {
  let answer = ''
  const read = conditional<Request>((text) => {
    answer = text
    return parseAnswer(text)
  })
  const request = usePolling<Request>({
    ask: (signal) => read(`/requests/${encodeURIComponent(id)}`, { signal }),
    every: (now) => (isLive(now) ? EVERY_MS : null),
  })
  const now = request.data

  // The cleanup of the last attempt is stored a moment after the request has ended.
  let tries = 0
  const attempts = usePolling<Attempt[]>({
    ask: (signal) => readAttempts(id, signal),
    every: (list) =>
      now.value && !isLive(now.value) && !isTidy(list) && tries++ < CLEANUP_TRIES ? CLEANUP_MS : null,
  })
  const result = usePolling<Result | null>({
    ask: (signal) => (now.value?.status === 'completed' ? readResult(id, signal) : Promise.resolve(null)),
    every: () => null,
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

function isTidy(attempts: Attempt[]): boolean {
  const last = attempts.at(-1)
  if (!last) return true
  const cleanup = last.phases.find(({ phase }) => phase === 'cleanup')
  return cleanup?.outcome !== undefined
}
