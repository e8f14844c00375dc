/** One action on many requests, and what came of it in one sentence each for what went well and what did not. */
import { showSuccess, showError } from '@/app/toasts'
import { actOnMany } from '@/api/requests'
import { isLive, type BulkAction } from '@/api/types'
import { requests as texts } from '@/texts'
import type { SelectedRequest } from './selectAllMatching'

const BATCH_SIZE = 250 // so that a person sees how far it is

export function fits(action: BulkAction, request: SelectedRequest, now = new Date()): boolean {
  if (action === 'retry') return request.status === 'failed'
  if (action === 'run') return request.status === 'pending' && new Date(request.available_at) > now
  if (action === 'cancel') return isLive(request)
  return request.status !== 'processing'
}

export async function bulk(
  action: BulkAction,
  ids: string[],
  onDone: (done: number) => void = () => undefined,
): Promise<void> {
  let [done, refused] = [0, 0]
  let why = ''
  try {
    for (let from = 0; from < ids.length; from += BATCH_SIZE) {
      const answer = await actOnMany(action, ids.slice(from, from + BATCH_SIZE))
      done += answer.done
      refused += answer.items.length - answer.done
      why ||= answer.items.find((item) => !item.done)?.detail ?? ''
      onDone(done)
    }
  } catch (error) {
    showError(texts.bulk[action], error)
  }
  if (done) showSuccess(texts.bulk.done[action](done))
  if (refused) showError('', texts.bulk.refused(refused, why))
}
