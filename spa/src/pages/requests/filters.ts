/** Convert the list's filters between the URL and the API's query parameters. Pure. */
import type { LocationQuery } from 'vue-router'
import type { Query } from '@/api/baseUrls'
import { STATUSES, type Status } from '@/api/types'

export const TIME_RANGES_MIN = { '15m': 15, '1h': 60, '24h': 24 * 60, '7d': 7 * 24 * 60 } as const
export type Time = keyof typeof TIME_RANGES_MIN
export const PAGE_SIZE = 50

/** The choices of the status filter. The API gives cancelled requests the status failed; here they are apart. */
export const STATUS_FILTERS = [...STATUSES, 'cancelled'] as const
export type StatusFilter = Status | 'cancelled'

export interface Filters {
  status: StatusFilter | ''
  function: string
  schedule: string
  queue: string
  time: Time | ''
  q: string
}

function first(query: LocationQuery, name: string): string {
  const value = query[name]
  return (Array.isArray(value) ? value[0] : value) ?? ''
}

/** Read the filters of the URL; ignore invalid values. */
export function filtersFromUrl(query: LocationQuery): Filters {
  const status = first(query, 'status')
  const time = first(query, 'time')
  return {
    status: STATUS_FILTERS.find((known) => known === status) ?? '',
    function: first(query, 'function'),
    schedule: first(query, 'schedule'),
    queue: first(query, 'queue'),
    time: Object.hasOwn(TIME_RANGES_MIN, time) ? (time as Time) : '',
    q: first(query, 'q'),
  }
}

export const cursorFromUrl = (query: LocationQuery): string => first(query, 'cursor')

export function isFiltered(filters: Filters): boolean {
  return Object.values(filters).some(Boolean)
}

/** Return the filters that are set, to keep URLs short. */
export function filtersToUrl(filters: Filters): Record<string, string> {
  return Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== ''))
}

function statusQuery(status: StatusFilter | ''): Query {
  if (status === 'cancelled') return { status: 'failed', cancelled: true }
  return status === 'failed' ? { status, cancelled: false } : { status }
}

export function filtersToApi(filters: Filters, cursor: string, now: Date): Query {
  const { time, q, status, ...rest } = filters
  // Rounded to the minute, so that the URL of the call, and with it the ETag, stays valid for a while.
  const since = time ? Math.floor(now.getTime() / 60_000 - TIME_RANGES_MIN[time]) * 60_000 : null
  return {
    ...rest,
    ...statusQuery(status),
    q: q.trim().slice(0, 200),
    since: since && new Date(since).toISOString(),
    cursor,
    limit: PAGE_SIZE,
  }
}
