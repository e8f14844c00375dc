/** The API's types: short names for those of schema.d.ts, which is generated from the OpenAPI document. */
import type { ExactNumber } from './exactJson'
import type { components } from './schema'

type Schemas = components['schemas']

export type Json = null | boolean | number | ExactNumber | string | Json[] | { [key: string]: Json }

export type Request = Omit<Schemas['Request'], 'event'> & { event: Json }
export type Result = Omit<Schemas['Result'], 'data'> & { data: Json }
export type FunctionInfo = Omit<Schemas['Function'], 'input_schema'> & {
  input_schema: { [key: string]: Json } | null
}
/** A request without its event, for the overview. */
export type Highlight = Schemas['Highlight']
export type Highlights = Schemas['Highlights']
export type RequestFile = Schemas['File']
export type Attempt = Schemas['Attempt']
export type Phase = Schemas['AttemptPhase']
export type ImportFailure = Schemas['ImportFailure']
export type SkippedFile = Schemas['SkippedFile']
export type AuditEntry = Omit<Schemas['AuditEntry'], 'details'> & { details: { [key: string]: Json } }
export type AuditAction = AuditEntry['action']
export type BulkOutcomes = Schemas['BulkOutcomes']
export type BulkAction = BulkOutcomes['action']

export type Status = Request['status']
export type PhaseName = Phase['phase']

export const STATUSES: readonly Status[] = ['pending', 'processing', 'completed', 'failed']
export const PHASES: readonly PhaseName[] = ['validate', 'process', 'save', 'cleanup']

export interface Page<T> {
  items: T[]
  next_cursor: string | null
}

export function isLive(request: Pick<Request, 'status'>): boolean {
  return request.status === 'pending' || request.status === 'processing'
}
