/** Read all requests that match the filters, not only those of the current page, up to a limit. */
import { listRequests } from '@/api/requests'
import type { Query } from '@/api/baseUrls'
import type { Request } from '@/api/types'

export const MAX_REQUESTS = 10_000
const PAGE_SIZE = 500

/** The members that bulk actions need, to keep thousands of events out of the memory. */
export type SelectedRequest = Pick<Request, 'id' | 'status' | 'available_at'>

export async function fetchAllMatching(
  query: Query,
  onCount: (count: number) => void,
  signal: AbortSignal,
): Promise<SelectedRequest[]> {
  const found: SelectedRequest[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof listRequests>> = await listRequests(
      { ...query, cursor, limit: Math.min(PAGE_SIZE, MAX_REQUESTS - found.length) },
      signal,
    )
    found.push(...page.items.map(({ id, status, available_at }) => ({ id, status, available_at })))
    onCount(found.length)
    cursor = page.next_cursor
  } while (cursor && found.length < MAX_REQUESTS)
  return found
}
