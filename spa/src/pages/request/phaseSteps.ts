/** The stepper's content: accepted, then the phases of the last attempt. Pure. */
import { isLive, PHASES, type Attempt, type Phase, type PhaseName, type Request } from '@/api/types'
import { formatDuration } from '@/format/time'

export type StepState = 'done' | 'running' | 'waiting' | 'failed' | 'cancelled' | 'skipped'

export interface Step {
  name: 'accepted' | PhaseName
  state: StepState
  /** When it began, and how long it took or takes. */
  at: string | null
  took: string
}

export function phaseSteps(request: Request, attempt: Attempt | undefined, now: Date): Step[] {
  const accepted: Step = { name: 'accepted', state: 'done', at: request.created_at, took: '' }
  return [accepted, ...PHASES.map((name) => phaseStep(name, request, attempt, now))]
}

function phaseStep(name: PhaseName, request: Request, attempt: Attempt | undefined, now: Date): Step {
  const phase = attempt?.phases.find((entry) => entry.phase === name)
  const isOver = !isLive(request)
  if (!phase) {
    return {
      name,
      state: isOver || attempt?.outcome ? 'skipped' : stateFromRequest(name, request),
      at: null,
      took: '',
    }
  }
  const isCut = phase.outcome === undefined && isOver
  const ms = phase.duration_ms ?? now.getTime() - Date.parse(phase.started_at)
  // A phase that was cut off by a kill has no duration: what a clock would show for it is not true.
  const took = isCut && phase.duration_ms === undefined ? '' : formatDuration(ms)
  return { name, state: isCut ? interruptedState(request) : present(phase), at: phase.started_at, took }
}

const interruptedState = (request: Request): StepState => (request.cancelled ? 'cancelled' : 'failed')

function present(phase: Phase): StepState {
  if (phase.outcome === undefined) return 'running'
  if (phase.outcome === 'cancelled') return 'cancelled'
  return phase.outcome === 'ok' ? 'done' : 'failed'
}

/** Before its first sign of life an attempt has no phases stored; the request says which one it is in. */
function stateFromRequest(name: PhaseName, request: Request): StepState {
  if (request.status !== 'processing' || !request.phase) return 'waiting'
  const distance = PHASES.indexOf(name) - PHASES.indexOf(request.phase)
  return distance === 0 ? 'running' : distance < 0 ? 'done' : 'waiting'
}
