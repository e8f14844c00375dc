/** /api/stats, /api/workers, /api/sandboxes and /api/queues. */
import { conditionalReader, json } from './client'
import type { Highlights, Status } from './types'

export type Percentile = 'p50' | 'p95' | 'p99'
export type PercentileSeries = Record<Percentile, (number | null)[]>

export interface SystemProblem {
  code: string
  severity: 'error' | 'warning' | 'info'
  text: string
  since: string | null
  subject: { kind: string; name: string } | null
  count: number
}

export interface QueueInfo {
  name: string
  depth: number
  scheduled: number
  oldest_age_s: number | null
  paused: boolean
  paused_at: string | null
  workers: number
}

/** Counts by status. Cancelled requests do not count as failed. */
export type Counts = Record<Status | 'cancelled', number>

export interface FunctionStats extends Counts {
  count: number
  failures: number
  p50_ms: number | null
  p95_ms: number | null
  wait_p95_ms: number | null
  sparkline: { times: string[]; completed: number[]; failed: number[] }
}

/** FunctionStats without the times, which are the same for all functions of a list. */
export interface FunctionHealth extends Omit<FunctionStats, 'sparkline'> {
  sparkline: Omit<FunctionStats['sparkline'], 'times'>
}

export interface Stats {
  time: string
  counts: { by_status: Counts; by_function: Record<string, Counts> }
  throughput: Record<'completed' | 'failed' | 'cancelled', number[]> & { per_minute: number; times: string[] }
  latency: Record<'wait_ms' | 'run_ms', Record<Percentile, number | null>>
  latency_series: { times: string[]; wait_ms: PercentileSeries; run_ms: PercentileSeries }
  failures: { times: string[]; by_function: Record<string, number[]> }
  queue_depth_series: { times: string[]; by_queue: Record<string, (number | null)[]> }
  queues: QueueInfo[]
  workers: { alive: number; busy: number }
  problems: SystemProblem[]
}

export interface WorkerInfo {
  name: string
  host: string
  state: 'idle' | 'busy' | 'unresponsive'
  queues: string[]
  started_at: string
  seen_at: string
  request_id: string | null
  function: string | null
  phase: string | null
  since: string | null
  held: number
}

export interface SandboxInfo {
  id: string
  host: string
  pid: number
  function: string | null
  state: 'idle' | 'busy'
  worker: string | null
  memory_mb: number | null
  age_s: number
}

/** Return the requests that have run longest and those that failed last. */
export const readHighlights = (signal?: AbortSignal) => json<Highlights>('/highlights', { signal })
const getStats = conditionalReader<Stats>()
export const readStats = (signal?: AbortSignal) => getStats('/stats', { signal })
const getFunctionsHealth = conditionalReader<{ functions: Record<string, FunctionHealth> }>()
export const readFunctionsHealth = async (signal?: AbortSignal) =>
  (await getFunctionsHealth('/stats/functions', { signal })).functions
export const readFunctionStats = (name: string, signal?: AbortSignal) =>
  json<FunctionStats>(`/functions/${encodeURIComponent(name)}/stats`, { signal })
export const readQueues = async (signal?: AbortSignal) =>
  (await json<{ items: QueueInfo[] }>('/queues', { signal })).items
export const readWorkers = async (signal?: AbortSignal) =>
  (await json<{ items: WorkerInfo[] }>('/workers', { signal })).items
export const readSandboxes = async (signal?: AbortSignal) =>
  (await json<{ items: SandboxInfo[] }>('/sandboxes', { signal })).items

const queue = (name: string, action: string) => `/queues/${encodeURIComponent(name)}/${action}`
export const pauseQueue = (name: string) => json<QueueInfo>(queue(name, 'pause'), { method: 'POST' })
export const resumeQueue = (name: string) => json<QueueInfo>(queue(name, 'resume'), { method: 'POST' })

/** Cancel all pending requests of a queue and return their number. One call works for at most ten seconds, so repeat it. */
export async function emptyQueue(name: string): Promise<number> {
  let cancelled = 0
  for (;;) {
    const result = await json<{ cancelled: number; complete: boolean }>(queue(name, 'empty'), {
      method: 'POST',
    })
    cancelled += result.cancelled
    if (result.complete) return cancelled
  }
}
