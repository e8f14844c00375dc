/** The last event sent to each function, as JSON text in the browser's storage. */

const MAX_CHARACTERS = 100_000
const key = (name: string) => `localfn.event.${name}`

export function loadLastEvent(name: string): string | undefined {
  try {
    return localStorage.getItem(key(name)) ?? undefined
  } catch {
    return undefined // storage is disabled
  }
}

export function saveLastEvent(name: string, event: string): void {
  try {
    if (event.length <= MAX_CHARACTERS) localStorage.setItem(key(name), event)
  } catch {
    return // storage is full or disabled: the next visit starts with an empty form
  }
}

export function clearLastEvent(name: string): void {
  try {
    localStorage.removeItem(key(name))
  } catch {
    return
  }
}
