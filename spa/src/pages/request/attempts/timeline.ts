/** Attempts on one scale of time: waiting, cold start, phases, backoff. Pure. */
import type { Attempt, PhaseName, Request } from '@/api/types'

export type Kind = 'waiting' | 'backoff' | 'cold' | PhaseName

export interface Segment {
  kind: Kind
  ms: number
  /** Of the whole, 0 to 1. */
  left: number
  width: number
  isFailed: boolean
}

export interface Row {
  attempt: Attempt
  segments: Segment[]
}

interface Piece {
  kind: Kind
  from: number
  to: number
  isFailed?: boolean
}

export function buildTimeline(request: Request, attempts: Attempt[], now: Date): Row[] {
  const start = Date.parse(request.created_at)
  const end = Math.max(start + 1, ...attempts.map((attempt) => endOf(attempt, now)))
  let before = start
  return attempts.map((attempt, place) => {
    const began = Date.parse(attempt.started_at)
    const gap: Piece = { kind: place ? 'backoff' : 'waiting', from: before, to: began }
    before = endOf(attempt, now)
    const pieces = [gap, ...piecesOf(attempt, request, now)].filter(({ from, to }) => to > from)
    const segments = pieces.map(({ kind, from, to, isFailed = false }) => {
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

/** The phases; of an attempt that has none stored, because it just began or was lost then, one piece for all. */
function piecesOf(attempt: Attempt, request: Request, now: Date): Piece[] {
  const pieces = phasesOf(attempt, now)
  if (pieces.length) return pieces
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

function phasesOf(attempt: Attempt, now: Date): Piece[] {
  const pieces: Piece[] = []
  for (const phase of attempt.phases) {
    let from = Date.parse(phase.started_at)
    // A phase that never ended was cut off with its attempt: by a kill, or with its worker.
    const to = phase.finished_at ? Date.parse(phase.finished_at) : endOf(attempt, now)
    if (phase.phase === 'validate' && attempt.cold_start && attempt.init_ms) {
      const ready = Math.min(to, from + attempt.init_ms)
      pieces.push({ kind: 'cold', from, to: ready })
      from = ready
    }
    const isCut = !phase.outcome && attempt.outcome !== null
    pieces.push({
      kind: phase.phase,
      from,
      to,
      isFailed: attempt.outcome !== 'cancelled' && (isCut || (phase.outcome ?? 'ok') !== 'ok'),
    })
  }
  return pieces
}
