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

/** A question whose answers the test gives itself. */
function held<T>() {
  const open: { answer: (value: T) => void; refuse: (error: unknown) => void; signal: AbortSignal }[] = []
  const load = vi.fn(
    (signal: AbortSignal) =>
      new Promise<T>((answer, refuse) => {
        open.push({ answer, refuse, signal })
      }),
  )
  return { load, open }
}

describe('a poller', () => {
  test('asks again after its pause, and never twice at the same time', async () => {
    const { load, open } = held<number>()
    const poller = new Poller({ load, intervalMs: () => 2_000 })
    poller.wake()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(load).toHaveBeenCalledTimes(1) // the answer is slow: nothing piles up
    open[0]?.answer(1)
    await vi.advanceTimersByTimeAsync(1_999)
    expect(load).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(load).toHaveBeenCalledTimes(2)
    poller.stop()
    expect(open[1]?.signal.aborted).toBe(true)
  })

  test('ends when it is told so, and wakes all the same', async () => {
    const load = vi.fn(() => Promise.resolve('completed'))
    const poller = new Poller({ load, intervalMs: () => null })
    poller.wake()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(load).toHaveBeenCalledTimes(1)
    poller.wake()
    await vi.advanceTimersByTimeAsync(0)
    expect(load).toHaveBeenCalledTimes(2)
  })

  test('asks once more when it was woken while an answer was under way', async () => {
    const { load, open } = held<number>()
    const poller = new Poller({ load, intervalMs: () => null })
    poller.wake()
    poller.wake()
    poller.wake()
    open[0]?.answer(1)
    await vi.advanceTimersByTimeAsync(0)
    expect(load).toHaveBeenCalledTimes(2)
    open[1]?.answer(2)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(load).toHaveBeenCalledTimes(2)
  })

  test('asks nothing while the page is hidden, and at once when it is seen again', async () => {
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

  test('comes more and more rarely while the server is away, and at its own pace again afterwards', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    let isAway = true
    const load = vi.fn(() => (isAway ? Promise.reject(new Unreachable(null)) : Promise.resolve(1)))
    const onError = vi.fn()
    const poller = new Poller({ load, intervalMs: () => 2_000, onError })
    poller.wake()
    await vi.advanceTimersByTimeAsync(2_000 + 4_000 + 8_000)
    expect(load).toHaveBeenCalledTimes(4)
    expect(onError).toHaveBeenLastCalledWith(expect.any(Unreachable), true)
    isAway = false
    await vi.advanceTimersByTimeAsync(16_000 + 2_000)
    expect(load).toHaveBeenCalledTimes(6)
    poller.stop()
  })

  test('gives up on a refusal that asking again will not change', async () => {
    const onError = vi.fn()
    const load = vi.fn(() => Promise.reject(new Problem(404, 'Not Found', 'There is no request.')))
    const poller = new Poller({ load, intervalMs: () => 2_000, onError })
    poller.wake()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(load).toHaveBeenCalledTimes(1)
    expect(onError).toHaveBeenCalledWith(expect.objectContaining({ status: 404 }), false)
  })

  test('waits as long as the server asks for', async () => {
    const load = vi.fn(() => Promise.reject(new Problem(503, 'Away', '', [], 20)))
    const poller = new Poller({ load, intervalMs: () => 2_000 })
    poller.wake()
    await vi.advanceTimersByTimeAsync(19_999)
    expect(load).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(load).toHaveBeenCalledTimes(2)
    poller.stop()
  })

  test('forgets the answer to a question that was replaced', async () => {
    const { load, open } = held<string>()
    const onValue = vi.fn()
    const poller = new Poller({ load, intervalMs: () => null, onValue })
    poller.wake()
    poller.restart()
    open[1]?.answer('new')
    open[0]?.answer('old')
    await vi.advanceTimersByTimeAsync(0)
    expect(onValue.mock.calls).toEqual([['new']])
  })
})

test('a pause is doubled up to half a minute, and spread by a fifth', () => {
  expect([1, 2, 3, 4, 5, 20].map((failures) => backoffMs(failures, 0.5))).toEqual([
    2000, 4000, 8000, 16000, 30000, 30000,
  ])
  expect([backoffMs(1, 0), backoffMs(1, 1)].map(Math.round)).toEqual([1600, 2400])
})
