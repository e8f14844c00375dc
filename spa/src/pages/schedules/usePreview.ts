/** The next times of what is being typed, asked when the typing pauses. */
import { onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import { isAbort, Problem, type FieldError } from '@/api/problem'
import { previewTimes, type ScheduleFields } from '@/api/schedules'

type Asked = Pick<ScheduleFields, 'expression' | 'timezone' | 'start_at' | 'end_at'>
const PAUSE_MS = 250

export function usePreview(asked: Ref<Asked>) {
  const times = ref<string[]>([])
  const errors = shallowRef<FieldError[]>([])
  let timer: ReturnType<typeof setTimeout> | undefined
  let controller: AbortController | null = null

  async function ask(): Promise<void> {
    controller = new AbortController()
    const { signal } = controller
    try {
      times.value = await previewTimes(asked.value, signal)
      errors.value = []
    } catch (error) {
      if (isAbort(error) || signal.aborted) return
      times.value = []
      errors.value = error instanceof Problem ? error.errors : []
    }
  }

  function stop(): void {
    clearTimeout(timer)
    controller?.abort()
  }

  watch(
    () => JSON.stringify(asked.value),
    () => {
      stop()
      if (!asked.value.expression.trim()) {
        times.value = []
        errors.value = []
        return
      }
      timer = setTimeout(() => void ask(), PAUSE_MS)
    },
    { immediate: true },
  )
  onScopeDispose(stop)
  return { times, errors }
}
