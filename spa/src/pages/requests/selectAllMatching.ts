/** All requests that fit the filters, not only those on this page: walked through page by page, up to a limit. */
import { listRequests } from '@/api/requests'
import type { Query } from '@/api/baseUrls'
import type { Request } from '@/api/types'

export const MAX_REQUESTS = 10_000
const PAGE = 500

/** What actions have to know of a request; thousands of events are not kept. */
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
      { ...query, cursor, limit: Math.min(PAGE, MAX_REQUESTS - found.length) },
      signal,
    )
    found.push(...page.items.map(({ id, status, available_at }) => ({ id, status, available_at })))
    onCount(found.length)
    cursor = page.next_cursor
  } while (cursor && found.length < MAX_REQUESTS)
  return found
}
