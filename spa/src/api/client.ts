/** Calls the API: JSON in and out, a limit in time, errors as `Problem` or `Unreachable`. */
import { parseResponse } from './exactJson'
import { readProblem, Unreachable } from './problem'
import { apiUrl, type Query } from './baseUrls'

const TIMEOUT_MS = 30_000

export interface Call {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  query?: Query
  json?: unknown
  /** Instead of `json`: the JSON as text, which is sent as it is. */
  text?: string
  form?: FormData
  headers?: Record<string, string>
  signal?: AbortSignal | undefined
  timeoutMs?: number
}

type Listener = () => void
const listeners = new Set<Listener>()

/** Calls back whenever an answer was 401: a session has ended, or there never was one. */
export function onUnauthorized(listener: Listener): void {
  listeners.add(listener)
}

/** The answer, whatever its status is. Throws Unreachable when there is none, AbortError when `signal` fired. */
export async function send(path: string, call: Call = {}): Promise<Response> {
  const limit = AbortSignal.timeout(call.timeoutMs ?? TIMEOUT_MS)
  const headers = new Headers({ Accept: 'application/json', ...call.headers })
  const text = call.text ?? (call.json === undefined ? null : JSON.stringify(call.json))
  if (text !== null) headers.set('Content-Type', 'application/json')
  try {
    return await fetch(apiUrl(path, call.query), {
      method: call.method ?? 'GET',
      headers,
      credentials: 'same-origin',
      cache: 'no-store', // the ETags are ours to keep: see conditional()
      body: call.form ?? text,
      signal: call.signal ? AbortSignal.any([call.signal, limit]) : limit,
    })
  } catch (error) {
    if (call.signal?.aborted) throw error
    throw new Unreachable(error)
  }
}

/** The answer, which is a good one. Throws Problem for 400 and above. */
export async function request(path: string, call: Call = {}): Promise<Response> {
  const answer = await send(path, call)
  if (answer.ok) return answer
  if (answer.status === 401 && path !== '/session') listeners.forEach((listener) => listener())
  throw await readProblem(answer)
}

export async function json<T>(path: string, call: Call = {}): Promise<T> {
  return read<T>(await request(path, call))
}

async function read<T>(answer: Response, parse: (text: string) => unknown = parseResponse): Promise<T> {
  try {
    return parse(await answer.text()) as T
  } catch (error) {
    throw new Unreachable(error) // cut off half-way
  }
}

/**
 * A reader that asks with the last ETag and hands out the very same value while nothing has changed,
 * so that nothing is drawn again. One reader per place that polls. parse: makes the value of the answer's text.
 */
export function conditional<T>(parse?: (text: string) => unknown): (path: string, call?: Call) => Promise<T> {
  let last: { url: string; etag: string; value: T } | null = null
  return async (path, call = {}) => {
    const url = apiUrl(path, call.query)
    const headers = last?.url === url ? { ...call.headers, 'If-None-Match': last.etag } : (call.headers ?? {})
    const answer = await send(path, { ...call, headers })
    if (answer.status === 304 && last) return last.value
    if (!answer.ok) {
      if (answer.status === 401) listeners.forEach((listener) => listener())
      throw await readProblem(answer)
    }
    const value = await read<T>(answer, parse)
    const etag = answer.headers.get('ETag')
    last = etag ? { url, etag, value } : null
    return value
  }
}
