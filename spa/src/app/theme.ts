/** Light, dark, or as the system says. public/theme.js applies the choice before the first paint. */
import { ref } from 'vue'

export type Theme = 'system' | 'light' | 'dark'
const KEY = 'localfn.theme'
const ORDER: Theme[] = ['system', 'light', 'dark']

const chosen = document.documentElement.dataset.theme
export const theme = ref<Theme>(chosen === 'light' || chosen === 'dark' ? chosen : 'system')

export function cycleTheme(): void {
  setTheme(ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? 'system')
}

export function setTheme(wanted: Theme): void {
  theme.value = wanted
  if (wanted === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = wanted
  try {
    if (wanted === 'system') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, wanted)
  } catch {
    // Storage is switched off: the choice holds until the page is left.
  }
}
