/** The stepper's content: accepted, then the phases of the last attempt. Pure. */
import { PHASES, type Attempt, type Phase, type PhaseName, type Request } from '@/api/types'
import { duration } from '@/format/time'

export type StepState = 'done' | 'running' | 'waiting' | 'failed' | 'skipped'

export interface Step {
  name: 'accepted' | PhaseName
  state: StepState
  /** When it began, and how long it took or takes. */
  at: string | null
  took: string
}

export function stepsOf(request: Request, attempt: Attempt | undefined, now: Date): Step[] {
  const accepted: Step = { name: 'accepted', state: 'done', at: request.created_at, took: '' }
  return [accepted, ...PHASES.map((name) => phaseStep(name, request, attempt, now))]
}

function phaseStep(name: PhaseName, request: Request, attempt: Attempt | undefined, now: Date): Step {
  const phase = attempt?.phases.find((entry) => entry.phase === name)
  const isOver = request.status === 'completed' || request.status === 'failed'
  if (!phase) {
    const isRunning = request.status === 'processing' && request.phase === name
    return { name, state: absent(isRunning, isOver, attempt), at: null, took: '' }
  }
  const isCut = phase.outcome === undefined && isOver
  const ms = phase.duration_ms ?? now.getTime() - Date.parse(phase.started_at)
  // A phase that was cut off by a kill has no duration: what a clock would show for it is not true.
  const took = isCut && phase.duration_ms === undefined ? '' : duration(ms)
  return { name, state: isCut ? 'failed' : present(phase), at: phase.started_at, took }
}

function present(phase: Phase): StepState {
  if (phase.outcome === undefined) return 'running'
  return phase.outcome === 'ok' ? 'done' : 'failed'
}

function absent(isRunning: boolean, isOver: boolean, attempt: Attempt | undefined): StepState {
  if (isRunning) return 'running'
  return isOver || attempt?.outcome ? 'skipped' : 'waiting'
}
