/** Short notes on what an action did; a good one goes by itself, a bad one stays until it is dismissed. */
import { reactive, readonly } from 'vue'

export interface Toast {
  id: number
  kind: 'good' | 'bad'
  text: string
}

const SHOWN_MS = 5_000
const state = reactive<Toast[]>([])
let lastId = 0
export const toasts = readonly(state)

export function dismiss(id: number): void {
  const place = state.findIndex((toast) => toast.id === id)
  if (place >= 0) state.splice(place, 1)
}

function show(kind: Toast['kind'], text: string): number {
  const id = ++lastId
  state.push({ id, kind, text })
  if (state.length > 4) state.shift()
  return id
}

export function showSuccess(text: string): void {
  const id = show('good', text)
  setTimeout(() => dismiss(id), SHOWN_MS)
}

export function showError(what: string, error: unknown): void {
  const why = error instanceof Error ? error.message : String(error)
  show('bad', what ? `${what}: ${why}` : why)
}
