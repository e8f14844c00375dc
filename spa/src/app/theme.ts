/** The colour theme: light, dark, or the system's. public/theme.js applies a stored choice before the first paint. */
import { ref } from 'vue'

export type Theme = 'system' | 'light' | 'dark'
const KEY = 'localfn.theme'
const ORDER: Theme[] = ['system', 'light', 'dark']

const stored = document.documentElement.dataset.theme
export const theme = ref<Theme>(stored === 'light' || stored === 'dark' ? stored : 'system')

export function cycleTheme(): void {
  setTheme(ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? 'system')
}

export function setTheme(next: Theme): void {
  theme.value = next
  if (next === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = next
  try {
    if (next === 'system') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, next)
  } catch {
    // Storage is disabled: the choice lasts until the page closes.
  }
}
