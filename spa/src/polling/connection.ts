/** Whether the server answers, as the last calls found it; the banner shows it, every poller reports to it. */
import { reactive, readonly } from 'vue'
import { Problem } from '@/api/problem'

const SLOW_MS = 6_000 // far above what any page asks: the server, or its database, stands still

interface Connection {
  /** When it was first noticed that the server is away; null while it answers. */
  unreachableSince: Date | null
  reason: string
}

const state = reactive<Connection>({ unreachableSince: null, reason: '' })
export const connection = readonly(state)

export function reportReachable(): void {
  state.unreachableSince = null
}

export function reportUnreachable(error: unknown): void {
  state.unreachableSince ??= new Date()
  state.reason = error instanceof Problem ? error.message : ''
}

/** A call gives up after half a minute; a person who looks at nothing is told earlier. */
export async function reportIfSlow<T>(answer: Promise<T>): Promise<T> {
  const timer = setTimeout(reportUnreachable, SLOW_MS, null)
  try {
    return await answer
  } finally {
    clearTimeout(timer)
  }
}
