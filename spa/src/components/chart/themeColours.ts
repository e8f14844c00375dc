/** The theme's colours as a canvas needs them: resolved, and again when the theme changes. */
import { onScopeDispose, ref } from 'vue'

export function useThemeColours() {
  const theme = ref(0)
  const changed = () => {
    theme.value += 1
  }
  const observer = new MutationObserver(changed)
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
  const system = matchMedia('(prefers-color-scheme: dark)')
  system.addEventListener('change', changed)
  onScopeDispose(() => {
    observer.disconnect()
    system.removeEventListener('change', changed)
  })
  const of = (token: string, opacity = 1) => {
    const value = getComputedStyle(document.documentElement).getPropertyValue(token).trim()
    return opacity === 1
      ? value
      : `${value}${Math.round(opacity * 255)
          .toString(16)
          .padStart(2, '0')}`
  }
  return { theme, of }
}
