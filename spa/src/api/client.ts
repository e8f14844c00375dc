/** Call the API: JSON in and out, a timeout, errors as `Problem` or `Unreachable`. */
import { parseResponse } from './exactJson'
import { readProblem, Unreachable } from './problem'
import { apiUrl, type Query } from './baseUrls'

const TIMEOUT_MS = 30_000

export interface CallOptions {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  query?: Query
  json?: unknown
  /** JSON as text, sent unchanged. Use it instead of `json` to keep numbers exact. */
  text?: string
  form?: FormData
  headers?: Record<string, string>
  signal?: AbortSignal | undefined
  timeoutMs?: number
}

type Listener = () => void
const listeners = new Set<Listener>()

/** Call the listener on each 401 response: the session has ended, or there was none. */
export function onUnauthorized(listener: Listener): void {
  listeners.add(listener)
}

/** Return the response with any status. Throws Unreachable if none arrives, AbortError if `signal` fires. */
export async function send(path: string, options: CallOptions = {}): Promise<Response> {
  const limit = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS)
  const headers = new Headers({ Accept: 'application/json', ...options.headers })
  const text = options.text ?? (options.json === undefined ? null : JSON.stringify(options.json))
  if (text !== null) headers.set('Content-Type', 'application/json')
  try {
    return await fetch(apiUrl(path, options.query), {
      method: options.method ?? 'GET',
      headers,
      credentials: 'same-origin',
      cache: 'no-store', // conditionalReader() keeps the ETags
      body: options.form ?? text,
      signal: options.signal ? AbortSignal.any([options.signal, limit]) : limit,
    })
  } catch (error) {
    if (options.signal?.aborted) throw error
    throw new Unreachable(error)
  }
}

/** Return a successful response. Throws Problem for a status of 400 and above. */
export async function request(path: string, options: CallOptions = {}): Promise<Response> {
  const response = await send(path, options)
  if (response.ok) return response
  if (response.status === 401 && path !== '/session') listeners.forEach((listener) => listener())
  throw await readProblem(response)
}

/** Return the parsed body of a successful response. */
export async function json<T>(path: string, options: CallOptions = {}): Promise<T> {
  return parseBody<T>(await request(path, options))
}

async function parseBody<T>(
  response: Response,
  parse: (text: string) => unknown = parseResponse,
): Promise<T> {
  try {
    return parse(await response.text()) as T
  } catch (error) {
    throw new Unreachable(error) // the connection broke in the middle of the body
  }
}

/**
 * Return a function that reads a URL with the last ETag. While the server answers 304 it returns the same object,
 * so that Vue renders nothing. Make one reader per poller. parse: turns the text of the body into the value.
 */
export function conditionalReader<T>(
  parse?: (text: string) => unknown,
): (path: string, options?: CallOptions) => Promise<T> {
  let last: { url: string; etag: string; value: T } | null = null
  return async (path, options = {}) => {
    const url = apiUrl(path, options.query)
    const headers =
      last?.url === url ? { ...options.headers, 'If-None-Match': last.etag } : (options.headers ?? {})
    const response = await send(path, { ...options, headers })
    if (response.status === 304 && last) return last.value
    if (!response.ok) {
      if (response.status === 401) listeners.forEach((listener) => listener())
      throw await readProblem(response)
    }
    const value = await parseBody<T>(response, parse)
    const etag = response.headers.get('ETag')
    last = etag ? { url, etag, value } : null
    return value
  }
}
