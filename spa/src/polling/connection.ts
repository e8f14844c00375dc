/** Whether the server is reachable, as all pollers report it. The banner shows it. */
import { reactive, readonly } from 'vue'
import { Problem } from '@/api/problem'

const SLOW_MS = 6_000 // far above the time of any normal call: the server or its database hangs

interface Connection {
  /** The time of the first failed call; null while the server answers. */
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

/** Report a slow call before its timeout of 30 s, so that the user knows why the page is empty. */
export async function reportIfSlow<T>(response: Promise<T>): Promise<T> {
  const timer = setTimeout(reportUnreachable, SLOW_MS, null)
  try {
    return await response
  } finally {
    clearTimeout(timer)
  }
}
