/** Toasts about the outcome of actions. A success disappears by itself; an error stays until it is dismissed. */
import { reactive, readonly } from 'vue'
import { app } from '@/texts'

export interface Toast {
  id: number
  kind: 'success' | 'error'
  text: string
}

const SUCCESS_MS = 5_000
const MAX_TOASTS = 4
const state = reactive<Toast[]>([])
let lastId = 0
export const toasts = readonly(state)

export function dismiss(id: number): void {
  const index = state.findIndex((toast) => toast.id === id)
  if (index >= 0) state.splice(index, 1)
}

function push(kind: Toast['kind'], text: string): number {
  const id = ++lastId
  state.push({ id, kind, text })
  if (state.length > MAX_TOASTS) state.shift()
  return id
}

export function showSuccess(text: string): void {
  const id = push('success', text)
  setTimeout(() => dismiss(id), SUCCESS_MS)
}

/** action: the label of the failed button, or '' if the message says enough. */
export function showError(action: string, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  push('error', action ? app.actionFailed(action, message) : message)
}
