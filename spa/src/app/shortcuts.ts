/** Keys: `useShortcuts({ j: next, 'g r': toRequests })`. None of them while somebody types or a dialog is open. */
import { onMounted, onUnmounted } from 'vue'

type Shortcuts = Record<string, () => void>
const PAIR_MS = 900

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  )
}

/** Enter and the space bar belong to whatever has the focus and does something with them. */
function isActive(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('a, button, summary, [role="button"]') !== null
}

function isForUs(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target))
    return false
  return !document.querySelector('dialog[open]') && !(event.key === 'Enter' && isActive(event.target))
}

export function useShortcuts(shortcuts: Shortcuts): void {
  let first = ''
  let firstAt = 0

  function onKey(event: KeyboardEvent): void {
    if (!isForUs(event)) return
    const pair = event.timeStamp - firstAt < PAIR_MS ? `${first} ${event.key}` : ''
    first = event.key
    firstAt = event.timeStamp
    const action = shortcuts[pair] ?? (pair.startsWith('g ') ? undefined : shortcuts[event.key])
    if (!action) return
    event.preventDefault()
    first = ''
    action()
  }

  onMounted(() => document.addEventListener('keydown', onKey))
  onUnmounted(() => document.removeEventListener('keydown', onKey))
}
