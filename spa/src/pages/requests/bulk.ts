/** One action on many requests, and what came of it in one sentence each for what went well and what did not. */
import { tell, tellError } from '@/app/toasts'
import { actOnMany } from '@/api/requests'
import { isLive, type BulkAction, type Request } from '@/api/types'
import { requests as texts } from '@/texts'

export function fits(action: BulkAction, request: Request): boolean {
  if (action === 'retry') return request.status === 'failed'
  if (action === 'cancel') return isLive(request)
  return request.status !== 'processing'
}

export async function bulk(action: BulkAction, ids: string[]): Promise<void> {
  try {
    const { done, items } = await actOnMany(action, ids)
    if (done) tell(texts.bulk.done[action](done))
    const refused = items.find((item) => !item.done)
    if (refused) tellError('', texts.bulk.refused(items.length - done, refused.detail ?? ''))
  } catch (error) {
    tellError(texts.bulk[action], error)
  }
}
