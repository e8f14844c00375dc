import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { effectScope } from 'vue'
import { connection } from '@/polling/connection'
import { usePolling } from '@/polling/usePolling'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

it('says that the server is away when an answer takes long, and takes it back when it comes', async () => {
  let answer: (value: string) => void = () => {}
  const scope = effectScope()
  const polled = scope.run(() =>
    usePolling({ load: () => new Promise<string>((resolve) => (answer = resolve)), intervalMs: () => null }),
  )
  await vi.advanceTimersByTimeAsync(5_000)
  expect(connection.unreachableSince).toBeNull()
  await vi.advanceTimersByTimeAsync(2_000)
  expect(connection.unreachableSince).not.toBeNull()
  answer('here')
  await vi.advanceTimersByTimeAsync(0)
  expect(connection.unreachableSince).toBeNull()
  expect(polled?.data.value).toBe('here')
  scope.stop()
})

it('says nothing of a question that was given up, because its page was left', async () => {
  const scope = effectScope()
  const refused = (signal: AbortSignal) =>
    new Promise<string>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  scope.run(() => usePolling({ load: refused, intervalMs: () => null }))
  await vi.advanceTimersByTimeAsync(1_000)
  scope.stop()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(connection.unreachableSince).toBeNull()
})
