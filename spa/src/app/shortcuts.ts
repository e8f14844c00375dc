/** Keyboard shortcuts: `useShortcuts({ j: next, 'g r': toRequests })`. Off while a field has the focus or a dialog is open. */
import { onMounted, onUnmounted } from 'vue'

type Shortcuts = Record<string, () => void>
const SEQUENCE_MS = 900

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  )
}

function isActivatable(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('a, button, summary, [role="button"]') !== null
}

function isShortcut(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target))
    return false
  return !document.querySelector('dialog[open]') && !(event.key === 'Enter' && isActivatable(event.target))
}

export function useShortcuts(shortcuts: Shortcuts): void {
  let previousKey = ''
  let previousAt = 0

  function onKey(event: KeyboardEvent): void {
    if (!isShortcut(event)) return
    const sequence = event.timeStamp - previousAt < SEQUENCE_MS ? `${previousKey} ${event.key}` : ''
    previousKey = event.key
    previousAt = event.timeStamp
    const action = shortcuts[sequence] ?? (sequence.startsWith('g ') ? undefined : shortcuts[event.key])
    if (!action) return
    event.preventDefault()
    previousKey = ''
    action()
  }

  onMounted(() => document.addEventListener('keydown', onKey))
  onUnmounted(() => document.removeEventListener('keydown', onKey))
}
