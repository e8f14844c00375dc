/** The actions on a request; each reports its outcome in a toast. */
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

  /** Run one action at a time; return true if it succeeded. */
  async function runAction(label: string, action: () => Promise<unknown>, done = ''): Promise<boolean> {
    if (isWorking.value) return false
    isWorking.value = true
    try {
      await action()
      if (done) showSuccess(done)
      return true
    } catch (error) {
      showError(label, error)
      return false
    } finally {
      isWorking.value = false
    }
  }

  async function runRerun(event: string): Promise<boolean> {
    return runAction(texts.actions.rerun, async () => {
      const next = await rerun(get(), event)
      await router.push({ name: 'request', params: { id: next.id } })
    })
  }

  const { actions } = texts
  return {
    isWorking,
    rerun: runRerun,
    retry: async () => {
      if (await runAction(actions.retry, () => retryRequest(get().id), actions.retried)) refresh()
    },
    runNow: async () => {
      if (await runAction(actions.runNow, () => runRequestNow(get().id), actions.queuedNow)) refresh()
    },
    cancel: async () => {
      if (await runAction(actions.cancel, () => cancelRequest(get().id), actions.cancelled)) refresh()
    },
    remove: async () => {
      const isDeleted = await runAction(actions.delete, () => deleteRequest(get().id), actions.deleted)
      if (isDeleted) await router.push({ name: 'requests' })
    },
  }
}
