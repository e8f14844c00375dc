/** Lay out attempts on one time axis: waiting, cold start, phases, backoff. Pure. */
import type { Attempt, PhaseName, Request } from '@/api/types'

export type SegmentKind = 'waiting' | 'backoff' | 'cold' | PhaseName

export interface Segment {
  kind: SegmentKind
  ms: number
  /** Fractions of the axis, 0 to 1. */
  left: number
  width: number
  isFailed: boolean
}

export interface Row {
  attempt: Attempt
  segments: Segment[]
}

interface Interval {
  kind: SegmentKind
  from: number
  to: number
  isFailed?: boolean
}

export function buildTimeline(request: Request, attempts: Attempt[], now: Date): Row[] {
  const start = Date.parse(request.created_at)
  const end = Math.max(start + 1, ...attempts.map((attempt) => endOf(attempt, now)))
  let previousEnd = start
  return attempts.map((attempt, index) => {
    const began = Date.parse(attempt.started_at)
    const gap: Interval = { kind: index ? 'backoff' : 'waiting', from: previousEnd, to: began }
    previousEnd = endOf(attempt, now)
    const intervals = [gap, ...intervalsOf(attempt, request, now)].filter(({ from, to }) => to > from)
    const segments = intervals.map(({ kind, from, to, isFailed = false }) => {
      const left = Math.max(0, from - start) / (end - start)
      return { kind, ms: to - from, left, width: (to - from) / (end - start), isFailed }
    })
    return { attempt, segments }
  })
}

function endOf(attempt: Attempt, now: Date): number {
  const last = attempt.phases.at(-1)?.finished_at
  return Math.max(Date.parse(attempt.finished_at ?? now.toISOString()), last ? Date.parse(last) : 0)
}

/** Return the phases, or one interval for an attempt without stored phases: it just started, or was lost then. */
function intervalsOf(attempt: Attempt, request: Request, now: Date): Interval[] {
  const intervals = phasesOf(attempt, now)
  if (intervals.length) return intervals
  const isLost = attempt.outcome !== null
  const kind = (isLost ? null : request.phase) ?? 'process'
  return [
    {
      kind,
      from: Date.parse(attempt.started_at),
      to: endOf(attempt, now),
      isFailed: isLost && attempt.outcome !== 'cancelled',
    },
  ]
}

function phasesOf(attempt: Attempt, now: Date): Interval[] {
  const intervals: Interval[] = []
  for (const phase of attempt.phases) {
    let from = Date.parse(phase.started_at)
    // An unfinished phase ended with its attempt: the sandbox was killed or the worker was lost.
    const to = phase.finished_at ? Date.parse(phase.finished_at) : endOf(attempt, now)
    if (phase.phase === 'validate' && attempt.cold_start && attempt.init_ms) {
      const ready = Math.min(to, from + attempt.init_ms)
      intervals.push({ kind: 'cold', from, to: ready })
      from = ready
    }
    const isInterrupted = !phase.outcome && attempt.outcome !== null
    intervals.push({
      kind: phase.phase,
      from,
      to,
      isFailed: attempt.outcome !== 'cancelled' && (isInterrupted || (phase.outcome ?? 'ok') !== 'ok'),
    })
  }
  return intervals
}
