/** A value that keeps itself fresh while its component is shown. */
import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef, type WatchSource } from 'vue'
import { isPassing } from '@/api/problem'
import { Poller } from '@/api/poller'
import { reportAnswer, reportAway, toldWhenSlow } from './connection'

export interface Polled<T> {
  /** The last good value; it stays while the server is away. */
  data: ShallowRef<T | null>
  /** Why there will be no value: 404, 403 …; a server that is away is the banner's matter. */
  error: ShallowRef<unknown>
  isLoading: Ref<boolean>
  /** Ask now: after an action whose effect the person waits to see. */
  refresh: () => void
}

export interface PollingOptions<T> {
  ask: (signal: AbortSignal) => Promise<T>
  every: (value: T) => number | null
  /** A change of these asks anew and forgets the old value. */
  watch?: WatchSource<unknown>
}

export function usePolling<T>(options: PollingOptions<T>): Polled<T> {
  const data: ShallowRef<T | null> = shallowRef(null)
  const error = shallowRef<unknown>(null)
  const isLoading = ref(true)
  const poller = new Poller<T>({
    ask: (signal) => toldWhenSlow(options.ask(signal)),
    every: options.every,
    onValue: (value) => {
      reportAnswer()
      error.value = null
      isLoading.value = false
      data.value = value // the same object means that nothing has changed, and nothing is drawn
    },
    onError: (problem) => {
      if (isPassing(problem)) {
        reportAway(problem)
        return
      }
      reportAnswer()
      error.value = problem
      isLoading.value = false
    },
  })
  if (options.watch) {
    watch(options.watch, () => {
      isLoading.value = true
      error.value = null
      poller.restart()
    })
  }
  onScopeDispose(poller.stop)
  poller.wake()
  return { data, error, isLoading, refresh: poller.wake }
}
