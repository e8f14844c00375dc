/** What the API answers; the words are those of the contract. */

export type Status = 'pending' | 'processing' | 'completed' | 'failed'
export type PhaseName = 'validate' | 'process' | 'save' | 'cleanup'
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

export const STATUSES: readonly Status[] = ['pending', 'processing', 'completed', 'failed']
export const PHASES: readonly PhaseName[] = ['validate', 'process', 'save', 'cleanup']

export interface RequestFile {
  name: string
  kind: 'input' | 'output'
  filename: string
  size: number
  content_type: string
  sha256: string
  href: string
}

export interface Request {
  id: string
  function: string
  status: Status
  phase: PhaseName | null
  progress: { fraction: number | null; message: string | null }
  event: Json
  attempt: number
  max_attempts: number
  job_id: string
  queue: string
  schedule: string | null
  scheduled_for: string | null
  created_at: string
  available_at: string
  started_at: string | null
  finished_at: string | null
  error_type: string | null
  error_message: string | null
  cancel_requested: boolean
  worker: string | null
  files: RequestFile[]
}

export interface Page<T> {
  items: T[]
  next_cursor: string | null
}

export interface Result {
  request_id: string
  data: Json
  files: RequestFile[]
  created_at: string
}

export interface Phase {
  phase: PhaseName
  started_at: string
  finished_at?: string
  duration_ms?: number
  outcome?: string
  error_type?: string
  error_message?: string
}

export type Outcome =
  'completed' | 'failed' | 'timed_out' | 'killed' | 'invalid' | 'cancelled' | 'lost' | 'given_back'

export interface Attempt {
  number: number
  outcome: Outcome | null
  worker: string
  started_at: string
  finished_at: string | null
  phases: Phase[]
  cold_start: boolean | null
  init_ms: number | null
  max_rss_mb: number | null
  error_type: string | null
  error_message: string | null
  traceback: string | null
}

export interface ImportFailure {
  source_file: string
  error_type: string
  error_message: string
  traceback: string
}

export interface FunctionInfo {
  name: string
  description: string | null
  queue: string
  timeout_s: number
  max_attempts: number
  memory_mb: number
  input_schema: { [key: string]: Json } | null
  source_file: string
  source_line: number
  module: string
  error: ImportFailure | null
}

export function isLive(request: Pick<Request, 'status'>): boolean {
  return request.status === 'pending' || request.status === 'processing'
}
