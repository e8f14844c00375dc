/** /api/requests, and the calls that create requests. */
import { json, request as call } from './client'
import { apiUrl, type Query } from './baseUrls'
import type {
  Attempt,
  BulkAction,
  BulkOutcomes,
  FunctionInfo,
  ImportFailure,
  Page,
  Request,
  RequestFile,
  Result,
  SkippedFile,
} from './types'

const path = (id: string, rest = '') => `/requests/${encodeURIComponent(id)}${rest}`

export const readResult = (id: string, signal?: AbortSignal) => json<Result>(path(id, '/result'), { signal })

export async function readAttempts(id: string, signal?: AbortSignal): Promise<Attempt[]> {
  return (await json<{ items: Attempt[] }>(path(id, '/attempts'), { signal })).items
}

export interface LogPage {
  text: string
  nextAfter: string | null
  /** The number of unfinished lines at the end. The next page repeats them in their new state. */
  current: number
}

/** Read the log lines of all attempts after a cursor, the `nextAfter` of the previous page, with unfinished lines. */
export async function readLogs(id: string, after: string | null, signal?: AbortSignal): Promise<LogPage> {
  const response = await call(path(id, '/logs'), {
    query: { after, current: 'true' },
    signal,
    headers: { Accept: 'text/plain' },
  })
  return {
    text: await response.text(),
    nextAfter: response.headers.get('Next-After'),
    current: Number(response.headers.get('Current-Lines') ?? 0),
  }
}

export const listRequests = (query: Query, signal?: AbortSignal) =>
  json<Page<Request>>('/requests', { query, signal })
export const cancelRequest = (id: string) => json<Request>(path(id, '/cancel'), { method: 'POST' })
export const retryRequest = (id: string) => json<Request>(path(id, '/retry'), { method: 'POST' })
/** Run a delayed request, or the next attempt of one, without waiting for its time. */
export const runRequestNow = (id: string) => json<Request>(path(id, '/run'), { method: 'POST' })
export const applyBulkAction = (action: BulkAction, ids: string[]) =>
  json<BulkOutcomes>('/requests/bulk', { method: 'POST', json: { action, ids } })
export const deleteRequest = (id: string) => call(path(id), { method: 'DELETE' })

/** Return the path below the API's base URL. An upload and an output file may have the same name. */
export function filePath(id: string, { kind, name }: Pick<RequestFile, 'kind' | 'name'>): string {
  return path(id, `/${kind === 'input' ? 'inputs' : 'files'}/${encodeURIComponent(name)}`)
}

export const fileUrl = (id: string, file: RequestFile): string => apiUrl(filePath(id, file))

export const listFunctions = (signal?: AbortSignal) =>
  json<{ items: FunctionInfo[]; errors: ImportFailure[]; skipped: SkippedFile[] }>('/functions', { signal })

export interface Invocation {
  /** JSON as text. */
  event: string
  files?: { part: string; file: File }[]
  query?: Query
}

/** Post an event, with files as multipart, and return the accepted request. */
export function invoke(name: string, { event, files = [], query = {} }: Invocation): Promise<Request> {
  const target = `/functions/${encodeURIComponent(name)}`
  if (!files.length) return json<Request>(target, { method: 'POST', text: event, query })
  const form = new FormData()
  form.set('event', new Blob([event], { type: 'application/json' }))
  for (const { part, file } of files) form.set(part, file, file.name)
  return json<Request>(target, { method: 'POST', form, query, timeoutMs: 600_000 })
}
