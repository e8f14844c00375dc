/** The steps of the phase stepper: accepted, then the phases of the last attempt. Pure. */
import { isLive, PHASES, type Attempt, type Phase, type PhaseName, type Request } from '@/api/types'
import { formatDuration } from '@/format/time'

export type StepState = 'done' | 'running' | 'waiting' | 'failed' | 'cancelled' | 'skipped'

export interface Step {
  name: 'accepted' | PhaseName
  state: StepState
  /** The start time, and the duration so far. */
  at: string | null
  duration: string
}

export function phaseSteps(request: Request, attempt: Attempt | undefined, now: Date): Step[] {
  const accepted: Step = { name: 'accepted', state: 'done', at: request.created_at, duration: '' }
  return [accepted, ...PHASES.map((name) => phaseStep(name, request, attempt, now))]
}

function phaseStep(name: PhaseName, request: Request, attempt: Attempt | undefined, now: Date): Step {
  const phase = attempt?.phases.find((entry) => entry.phase === name)
  const hasEnded = !isLive(request)
  if (!phase) {
    return {
      name,
      state: hasEnded || attempt?.outcome ? 'skipped' : stateFromRequest(name, request),
      at: null,
      duration: '',
    }
  }
  const isInterrupted = phase.outcome === undefined && hasEnded
  const ms = phase.duration_ms ?? now.getTime() - Date.parse(phase.started_at)
  // A killed phase has no stored duration, and the time until now would be wrong.
  const duration = isInterrupted && phase.duration_ms === undefined ? '' : formatDuration(ms)
  return {
    name,
    state: isInterrupted ? interruptedState(request) : stateOfPhase(phase),
    at: phase.started_at,
    duration,
  }
}

const interruptedState = (request: Request): StepState => (request.cancelled ? 'cancelled' : 'failed')

function stateOfPhase(phase: Phase): StepState {
  if (phase.outcome === undefined) return 'running'
  if (phase.outcome === 'cancelled') return 'cancelled'
  return phase.outcome === 'ok' ? 'done' : 'failed'
}

/** Before the first heartbeat an attempt has no stored phases; the request names the current one. */
function stateFromRequest(name: PhaseName, request: Request): StepState {
  if (request.status !== 'processing' || !request.phase) return 'waiting'
  const distance = PHASES.indexOf(name) - PHASES.indexOf(request.phase)
  return distance === 0 ? 'running' : distance < 0 ? 'done' : 'waiting'
}
