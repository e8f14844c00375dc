/** One action on many requests, and what came of it in one sentence each for what went well and what did not. */
import { tell, tellError } from '@/app/toasts'
import { cancelRequest, deleteRequest, retryRequest } from '@/api/requests'
import { isLive, type Request } from '@/api/types'
import { requests as texts } from '@/texts'

export type BulkAction = 'retry' | 'cancel' | 'delete'
const SIDE_BY_SIDE = 4

export function fits(action: BulkAction, request: Request): boolean {
  if (action === 'retry') return request.status === 'failed'
  if (action === 'cancel') return isLive(request)
  return request.status !== 'processing'
}

const CALLS: Record<BulkAction, (id: string) => Promise<unknown>> = {
  retry: retryRequest,
  cancel: cancelRequest,
  delete: deleteRequest,
}

export async function bulk(action: BulkAction, ids: string[]): Promise<void> {
  const waiting = [...ids]
  const refusals: unknown[] = []
  const work = async () => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      await CALLS[action](id).catch((error: unknown) => refusals.push(error))
    }
  }
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work))
  const done = ids.length - refusals.length
  if (done) tell(texts.bulk.done[action](done))
  const [first] = refusals
  if (first)
    tellError('', texts.bulk.refused(refusals.length, first instanceof Error ? first.message : String(first)))
}
