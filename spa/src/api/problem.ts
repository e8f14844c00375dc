/** The errors of API calls. */

export interface FieldError {
  field?: string
  detail: string
}

/** An error response with its reason (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly errors: FieldError[] = [],
    readonly retryAfterS: number | null = null,
  ) {
    super(detail || title)
    this.name = 'Problem'
  }

  /** True if a retry may help: the server or a proxy is overloaded or failing. */
  get isTransient(): boolean {
    return this.status >= 500 || this.status === 429 || this.status === 408
  }
}

/** No response arrived: the server or the network is down. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super('The server does not answer. Check that it is running, then try again.', { cause })
    this.name = 'Unreachable'
  }
}

export function isTransient(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof Problem && error.isTransient)
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

/** Read the problem from an error response. */
export async function readProblem(response: Response): Promise<Problem> {
  const retryAfter = Number(response.headers.get('Retry-After') ?? Number.NaN)
  const pause = Number.isFinite(retryAfter) ? retryAfter : null
  const fallback = new Problem(
    response.status,
    response.statusText || `HTTP ${response.status}`,
    '',
    [],
    pause,
  )
  if (!response.headers.get('Content-Type')?.includes('json')) return fallback
  try {
    const body: unknown = await response.json()
    if (typeof body !== 'object' || body === null) return fallback
    const { title = fallback.title, detail = '', errors = [] } = body as Partial<Problem>
    return new Problem(response.status, title, detail, errors, pause)
  } catch {
    // A proxy may label its HTML error page as JSON: fall back to the status.
    return fallback
  }
}
