/** One action on many requests, and what came of it in one sentence each for what went well and what did not. */
import { tell, tellError } from '@/app/toasts'
import { actOnMany } from '@/api/requests'
import { isLive, type BulkAction } from '@/api/types'
import { requests as texts } from '@/texts'
import type { Known } from './everything'

const AT_ONCE = 250 // so that a person sees how far it is

export function fits(action: BulkAction, request: Known, now = new Date()): boolean {
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
    for (let from = 0; from < ids.length; from += AT_ONCE) {
      const answer = await actOnMany(action, ids.slice(from, from + AT_ONCE))
      done += answer.done
      refused += answer.items.length - answer.done
      why ||= answer.items.find((item) => !item.done)?.detail ?? ''
      onDone(done)
    }
  } catch (error) {
    tellError(texts.bulk[action], error)
  }
  if (done) tell(texts.bulk.done[action](done))
  if (refused) tellError('', texts.bulk.refused(refused, why))
}
