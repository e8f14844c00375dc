/** One ticking clock for all relative times of a page. It pauses while the page is hidden. */
import { onScopeDispose, readonly, ref } from 'vue'

const now = ref(new Date())
let users = 0
let timer: ReturnType<typeof setInterval> | null = null

function tick(): void {
  if (!document.hidden) now.value = new Date()
}

export function useNow() {
  users += 1
  if (!timer) {
    tick()
    timer = setInterval(tick, 1000)
    document.addEventListener('visibilitychange', tick)
  }
  onScopeDispose(() => {
    users -= 1
    if (users || !timer) return
    clearInterval(timer)
    timer = null
    document.removeEventListener('visibilitychange', tick)
  })
  return readonly(now)
}
