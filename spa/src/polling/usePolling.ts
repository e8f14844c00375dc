/** A value that is polled while its component is mounted. */
import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef, type WatchSource } from 'vue'
import { isTransient } from '@/api/problem'
import { Poller } from '@/api/poller'
import { reportReachable, reportUnreachable, reportIfSlow } from './connection'

export interface Polled<T> {
  /** The last value; it stays while the server is unreachable. */
  data: ShallowRef<T | null>
  /** A permanent error, such as 404 or 403. The banner shows temporary errors. */
  error: ShallowRef<unknown>
  isLoading: Ref<boolean>
  /** Load now, for example to show the effect of an action. */
  refresh: () => void
}

export interface PollingOptions<T> {
  load: (signal: AbortSignal) => Promise<T>
  intervalMs: (value: T) => number | null
  /** Load again when this source changes. */
  watch?: WatchSource<unknown>
}

export function usePolling<T>(options: PollingOptions<T>): Polled<T> {
  const data: ShallowRef<T | null> = shallowRef(null)
  const error = shallowRef<unknown>(null)
  const isLoading = ref(true)
  const poller = new Poller<T>({
    load: (signal) => reportIfSlow(options.load(signal)),
    intervalMs: options.intervalMs,
    onValue: (value) => {
      reportReachable()
      error.value = null
      isLoading.value = false
      data.value = value // an unchanged value is the same object: Vue renders nothing
    },
    onError: (problem) => {
      if (isTransient(problem)) {
        reportUnreachable(problem)
        return
      }
      reportReachable()
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
