/** Whether the server answers, as the last calls found it; the banner shows it, every poller reports to it. */
import { reactive, readonly } from 'vue'
import { Problem } from '@/api/problem'

const SLOW_MS = 6_000 // far above what any page asks: the server, or its database, stands still

interface Connection {
  /** When it was first noticed that the server is away; null while it answers. */
  awaySince: Date | null
  reason: string
}

const state = reactive<Connection>({ awaySince: null, reason: '' })
export const connection = readonly(state)

export function reportAnswer(): void {
  state.awaySince = null
}

export function reportAway(error: unknown): void {
  state.awaySince ??= new Date()
  state.reason = error instanceof Problem ? error.message : ''
}

/** A call gives up after half a minute; a person who looks at nothing is told earlier. */
export async function toldWhenSlow<T>(answer: Promise<T>): Promise<T> {
  const timer = setTimeout(reportAway, SLOW_MS, null)
  try {
    return await answer
  } finally {
    clearTimeout(timer)
  }
}
