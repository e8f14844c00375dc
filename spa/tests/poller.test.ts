import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { backoffMs, Poller } from '@/api/poller'
import { Problem, Unreachable } from '@/api/problem'

let hidden = false

beforeEach(() => {
  vi.useFakeTimers()
  hidden = false
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden)
})
afterEach(() => vi.useRealTimers())

function setHidden(value: boolean): void {
  hidden = value
  document.dispatchEvent(new Event('visibilitychange'))
}

/** A load function whose calls the test resolves or rejects. */
function deferred<T>() {
  const open: { resolve: (value: T) => void; reject: (error: unknown) => void; signal: AbortSignal }[] = []
  const load = vi.fn(
    (signal: AbortSignal) =>
      new Promise<T>((resolve, reject) => {
        open.push({ resolve, reject, signal })
      }),
  )
  return { load, open }
}

describe('a poller', () => {
  test('loads again after the interval, one call at a time', async () => {
    const { load, open } = deferred<number>()
    const poller = new Poller({ load, intervalMs: () => 2_000 })
    poller.wake()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(load).toHaveBeenCalledTimes(1) // slow responses do not pile up
    open[0]?.resolve(1)
    await vi.advanceTimersByTimeAsync(1_999)
    expect(load).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(load).toHaveBeenCalledTimes(2)
    poller.stop()
    expect(open[1]?.signal.aborted).toBe(true)
  })

  test('stops at a null interval, and loads again on wake', async () => {
    const load = vi.fn(() => Promise.resolve('completed'))
    const poller = new Poller({ load, intervalMs: () => null })
    poller.wake()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(load).toHaveBeenCalledTimes(1)
    poller.wake()
    await vi.advanceTimersByTimeAsync(0)
    expect(load).toHaveBeenCalledTimes(2)
  })

  test('loads once more if woken during a call', async () => {
    const { load, open } = deferred<number>()
    const poller = new Poller({ load, intervalMs: () => null })
    poller.wake()
    poller.wake()
    poller.wake()
    open[0]?.resolve(1)
    await vi.advanceTimersByTimeAsync(0)
    expect(load).toHaveBeenCalledTimes(2)
    open[1]?.resolve(2)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(load).toHaveBeenCalledTimes(2)
  })

  test('pauses while the page is hidden, and loads when it becomes visible', async () => {
    const load = vi.fn(() => Promise.resolve(1))
    const poller = new Poller({ load, intervalMs: () => 2_000 })
    poller.wake()
    await vi.advanceTimersByTimeAsync(0)
    setHidden(true)
    await vi.advanceTimersByTimeAsync(600_000)
    expect(load).toHaveBeenCalledTimes(1)
    setHidden(false)
    await vi.advanceTimersByTimeAsync(0)
    expect(load).toHaveBeenCalledTimes(2)
    poller.stop()
  })

  test('backs off while the server is unreachable, then returns to its interval', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    let isDown = true
    const load = vi.fn(() => (isDown ? Promise.reject(new Unreachable(null)) : Promise.resolve(1)))
    const onError = vi.fn()
    const poller = new Poller({ load, intervalMs: () => 2_000, onError })
    poller.wake()
    await vi.advanceTimersByTimeAsync(2_000 + 4_000 + 8_000)
    expect(load).toHaveBeenCalledTimes(4)
    expect(onError).toHaveBeenLastCalledWith(expect.any(Unreachable), true)
    isDown = false
    await vi.advanceTimersByTimeAsync(16_000 + 2_000)
    expect(load).toHaveBeenCalledTimes(6)
    poller.stop()
  })

  test('stops at a permanent error', async () => {
    const onError = vi.fn()
    const load = vi.fn(() => Promise.reject(new Problem(404, 'Not Found', 'There is no request.')))
    const poller = new Poller({ load, intervalMs: () => 2_000, onError })
    poller.wake()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(load).toHaveBeenCalledTimes(1)
    expect(onError).toHaveBeenCalledWith(expect.objectContaining({ status: 404 }), false)
  })

  test('waits for Retry-After', async () => {
    const load = vi.fn(() => Promise.reject(new Problem(503, 'Unavailable', '', [], 20)))
    const poller = new Poller({ load, intervalMs: () => 2_000 })
    poller.wake()
    await vi.advanceTimersByTimeAsync(19_999)
    expect(load).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(load).toHaveBeenCalledTimes(2)
    poller.stop()
  })

  test('drops the result of a call that was restarted', async () => {
    const { load, open } = deferred<string>()
    const onValue = vi.fn()
    const poller = new Poller({ load, intervalMs: () => null, onValue })
    poller.wake()
    poller.restart()
    open[1]?.resolve('new')
    open[0]?.resolve('old')
    await vi.advanceTimersByTimeAsync(0)
    expect(onValue.mock.calls).toEqual([['new']])
  })
})

test('the backoff doubles up to 30 s, with 20 % jitter', () => {
  expect([1, 2, 3, 4, 5, 20].map((failures) => backoffMs(failures, 0.5))).toEqual([
    2000, 4000, 8000, 16000, 30000, 30000,
  ])
  expect([backoffMs(1, 0), backoffMs(1, 1)].map(Math.round)).toEqual([1600, 2400])
})
