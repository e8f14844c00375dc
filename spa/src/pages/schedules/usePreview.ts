/** Preview the next runs of an unsaved schedule, once the typing pauses. */
import { onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import { isAbort, Problem, type FieldError } from '@/api/problem'
import { previewTimes, type ScheduleFields } from '@/api/schedules'

type PreviewFields = Pick<ScheduleFields, 'expression' | 'timezone' | 'start_at' | 'end_at'>
const DEBOUNCE_MS = 250

export function usePreview(fields: Ref<PreviewFields>) {
  const times = ref<string[]>([])
  const errors = shallowRef<FieldError[]>([])
  let timer: ReturnType<typeof setTimeout> | undefined
  let controller: AbortController | null = null

  async function load(): Promise<void> {
    controller = new AbortController()
    const { signal } = controller
    try {
      times.value = await previewTimes(fields.value, signal)
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
    () => JSON.stringify(fields.value),
    () => {
      stop()
      if (!fields.value.expression.trim()) {
        times.value = []
        errors.value = []
        return
      }
      timer = setTimeout(() => void load(), DEBOUNCE_MS)
    },
    { immediate: true },
  )
  onScopeDispose(stop)
  return { times, errors }
}
