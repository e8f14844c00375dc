/** What can go wrong with a call, as values that pages can show. */

export interface FieldError {
  field?: string
  detail: string
}

/** The server refused the call and said why (RFC 9457). */
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

  /** Worth asking again later: the server, or what stands in front of it, has a bad moment. */
  get isTransient(): boolean {
    return this.status >= 500 || this.status === 429 || this.status === 408
  }
}

/** No answer came: the server is away, or the network is. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super('The server does not answer.', { cause })
    this.name = 'Unreachable'
  }
}

export function isTransient(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof Problem && error.isTransient)
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

export async function readProblem(answer: Response): Promise<Problem> {
  const retryAfter = Number(answer.headers.get('Retry-After') ?? Number.NaN)
  const pause = Number.isFinite(retryAfter) ? retryAfter : null
  const fallback = new Problem(answer.status, answer.statusText || `HTTP ${answer.status}`, '', [], pause)
  if (!answer.headers.get('Content-Type')?.includes('json')) return fallback
  try {
    const body: unknown = await answer.json()
    if (typeof body !== 'object' || body === null) return fallback
    const { title = fallback.title, detail = '', errors = [] } = body as Partial<Problem>
    return new Problem(answer.status, title, detail, errors, pause)
  } catch {
    // A proxy's page that calls itself JSON; the status still says what happened.
    return fallback
  }
}
