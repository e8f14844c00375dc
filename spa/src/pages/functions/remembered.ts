/** The last event of each function, as JSON text, in this browser. */

const MOST_CHARACTERS = 100_000
const key = (name: string) => `localfn.event.${name}`

export function recall(name: string): string | undefined {
  try {
    return localStorage.getItem(key(name)) ?? undefined
  } catch {
    return undefined // storage is switched off
  }
}

export function remember(name: string, event: string): void {
  try {
    if (event.length <= MOST_CHARACTERS) localStorage.setItem(key(name), event)
  } catch {
    return // full, or switched off: the next visit starts afresh
  }
}

export function forget(name: string): void {
  try {
    localStorage.removeItem(key(name))
  } catch {
    return
  }
}
