/** How the installation does: /api/stats, workers, sandboxes, queues. */
import { conditional, json } from './client'
import type { Highlights, Status } from './types'

export type Percentile = 'p50' | 'p95' | 'p99'
export type PercentileSeries = Record<Percentile, (number | null)[]>

export interface Problem {
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

/** By status; cancelled requests are not among the failed. */
export type Counts = Record<Status | 'cancelled', number>

export interface FunctionStats extends Counts {
  count: number
  failures: number
  p50_ms: number | null
  p95_ms: number | null
  wait_p95_ms: number | null
  sparkline: { times: string[]; completed: number[]; failed: number[] }
}

/** The same in a list of all functions, whose hours are the same. */
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
  problems: Problem[]
}

export interface WorkerInfo {
  name: string
  host: string
  state: 'idle' | 'busy' | 'silent'
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

/** What has run longest, and what failed last. */
export const readHighlights = (signal?: AbortSignal) => json<Highlights>('/highlights', { signal })
const getStats = conditional<Stats>()
export const readStats = (signal?: AbortSignal) => getStats('/stats', { signal })
const getFunctionsHealth = conditional<{ functions: Record<string, FunctionHealth> }>()
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

/** Cancels all that waits; gives how many. One call does what fits ten seconds. */
export async function emptyQueue(name: string): Promise<number> {
  let cancelled = 0
  for (;;) {
    const answer = await json<{ cancelled: number; complete: boolean }>(queue(name, 'empty'), {
      method: 'POST',
    })
    cancelled += answer.cancelled
    if (answer.complete) return cancelled
  }
}
