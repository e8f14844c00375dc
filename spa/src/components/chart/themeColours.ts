/** The theme's colours as resolved values, because a canvas cannot use CSS variables. They follow a change of the theme. */
import { onScopeDispose, ref } from 'vue'

export function useThemeColours() {
  const theme = ref(0)
  const onChange = () => {
    theme.value += 1
  }
  const observer = new MutationObserver(onChange)
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
  const system = matchMedia('(prefers-color-scheme: dark)')
  system.addEventListener('change', onChange)
  onScopeDispose(() => {
    observer.disconnect()
    system.removeEventListener('change', onChange)
  })
  const resolve = (token: string, opacity = 1) => {
    const value = getComputedStyle(document.documentElement).getPropertyValue(token).trim()
    return opacity === 1
      ? value
      : `${value}${Math.round(opacity * 255)
          .toString(16)
          .padStart(2, '0')}`
  }
  return { theme, resolve }
}
