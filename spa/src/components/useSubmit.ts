/** Submit a form: one call at a time. `errors` belong to fields; `failure` is any other error. */
import { ref, shallowRef } from 'vue'
import { Problem, type FieldError } from '@/api/problem'

export function useSubmit(send: () => Promise<void>) {
  const isSending = ref(false)
  const errors = shallowRef<FieldError[]>([])
  const failure = shallowRef<unknown>(null)

  async function submit(): Promise<void> {
    if (isSending.value) return
    isSending.value = true
    errors.value = []
    failure.value = null
    try {
      await send()
    } catch (error) {
      if (error instanceof Problem && error.errors.length) errors.value = error.errors
      else failure.value = error
    } finally {
      isSending.value = false
    }
  }

  return { isSending, errors, failure, submit }
}
