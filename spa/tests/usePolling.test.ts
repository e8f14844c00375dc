import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { effectScope } from 'vue'
import { connection } from '@/polling/connection'
import { usePolling } from '@/polling/usePolling'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

it('reports a slow server as unreachable until it resolveLoads', async () => {
  let resolveLoad: (value: string) => void = () => {}
  const scope = effectScope()
  const polled = scope.run(() =>
    usePolling({
      load: () => new Promise<string>((resolve) => (resolveLoad = resolve)),
      intervalMs: () => null,
    }),
  )
  await vi.advanceTimersByTimeAsync(5_000)
  expect(connection.unreachableSince).toBeNull()
  await vi.advanceTimersByTimeAsync(2_000)
  expect(connection.unreachableSince).not.toBeNull()
  resolveLoad('here')
  await vi.advanceTimersByTimeAsync(0)
  expect(connection.unreachableSince).toBeNull()
  expect(polled?.data.value).toBe('here')
  scope.stop()
})

it('does not report a call that was aborted by leaving the page', async () => {
  const scope = effectScope()
  const aborted = (signal: AbortSignal) =>
    new Promise<string>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  scope.run(() => usePolling({ load: aborted, intervalMs: () => null }))
  await vi.advanceTimersByTimeAsync(1_000)
  scope.stop()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(connection.unreachableSince).toBeNull()
})
