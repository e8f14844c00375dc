/** Apply one action to many requests; one toast each reports the done and the rejected ones. */
import { showSuccess, showError } from '@/app/toasts'
import { applyBulkAction } from '@/api/requests'
import { isLive, type BulkAction } from '@/api/types'
import { requests as texts } from '@/texts'
import type { SelectedRequest } from './selectAllMatching'

const BATCH_SIZE = 250 // small enough to show the progress

export function canApply(action: BulkAction, request: SelectedRequest, now = new Date()): boolean {
  if (action === 'retry') return request.status === 'failed'
  if (action === 'run') return request.status === 'pending' && new Date(request.available_at) > now
  if (action === 'cancel') return isLive(request)
  return request.status !== 'processing'
}

export async function applyToAll(
  action: BulkAction,
  ids: string[],
  onDone: (done: number) => void = () => undefined,
): Promise<void> {
  let [done, rejected] = [0, 0]
  let reason = ''
  try {
    for (let from = 0; from < ids.length; from += BATCH_SIZE) {
      const outcome = await applyBulkAction(action, ids.slice(from, from + BATCH_SIZE))
      done += outcome.done
      rejected += outcome.items.length - outcome.done
      reason ||= outcome.items.find((item) => !item.done)?.detail ?? ''
      onDone(done)
    }
  } catch (error) {
    showError(texts.bulk[action], error)
  }
  if (done) showSuccess(texts.bulk.done[action](done))
  if (rejected) showError('', texts.bulk.rejected(rejected, reason))
}
