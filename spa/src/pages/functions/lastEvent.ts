/** The last event of each function, as JSON text, in this browser. */

const MAX_CHARACTERS = 100_000
const key = (name: string) => `localfn.event.${name}`

export function loadLastEvent(name: string): string | undefined {
  try {
    return localStorage.getItem(key(name)) ?? undefined
  } catch {
    return undefined // storage is switched off
  }
}

export function saveLastEvent(name: string, event: string): void {
  try {
    if (event.length <= MAX_CHARACTERS) localStorage.setItem(key(name), event)
  } catch {
    return // full, or switched off: the next visit starts afresh
  }
}

export function clearLastEvent(name: string): void {
  try {
    localStorage.removeItem(key(name))
  } catch {
    return
  }
}
