/** What a person can do with a request, and what became of it in a note. */
import { ref } from 'vue'
import { useRouter } from 'vue-router'
import { showSuccess, showError } from '@/app/toasts'
import { cancelRequest, deleteRequest, retryRequest, runRequestNow } from '@/api/requests'
import type { Request } from '@/api/types'
import { request as texts } from '@/texts'
import { rerun } from './rerun'

export function useRequestActions(get: () => Request, refresh: () => void) {
  const router = useRouter()
  const isWorking = ref(false)

  /** One at a time; true when it was done. */
  async function act(what: string, work: () => Promise<unknown>, done = ''): Promise<boolean> {
    if (isWorking.value) return false
    isWorking.value = true
    try {
      await work()
      if (done) showSuccess(done)
      return true
    } catch (error) {
      showError(what, error)
      return false
    } finally {
      isWorking.value = false
    }
  }

  async function again(event: string): Promise<boolean> {
    return act(texts.actions.again, async () => {
      const next = await rerun(get(), event)
      await router.push({ name: 'request', params: { id: next.id } })
    })
  }

  const { actions } = texts
  return {
    isWorking,
    again,
    retry: async () => {
      if (await act(actions.retry, () => retryRequest(get().id), actions.retried)) refresh()
    },
    runNow: async () => {
      if (await act(actions.now, () => runRequestNow(get().id), actions.runs)) refresh()
    },
    cancel: async () => {
      if (await act(actions.cancel, () => cancelRequest(get().id), actions.cancelled)) refresh()
    },
    remove: async () => {
      const isGone = await act(actions.delete, () => deleteRequest(get().id), actions.deleted)
      if (isGone) await router.push({ name: 'requests' })
    },
  }
}
