/** A value that keeps itself fresh while its component is shown. */
import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef, type WatchSource } from 'vue'
import { isTransient } from '@/api/problem'
import { Poller } from '@/api/poller'
import { reportReachable, reportUnreachable, reportIfSlow } from './connection'

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
  load: (signal: AbortSignal) => Promise<T>
  intervalMs: (value: T) => number | null
  /** A change of these asks anew and forgets the old value. */
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
      data.value = value // the same object means that nothing has changed, and nothing is drawn
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
