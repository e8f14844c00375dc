/** The last event of each function, in this browser. */
import type { Json } from '@/api/types'

const MOST_CHARACTERS = 100_000
const key = (name: string) => `localfn.event.${name}`

export function recall(name: string): Json | undefined {
  try {
    const text = localStorage.getItem(key(name))
    return text === null ? undefined : (JSON.parse(text) as Json)
  } catch {
    return undefined // storage is switched off, or somebody else wrote there
  }
}

export function remember(name: string, event: Json): void {
  const text = JSON.stringify(event)
  try {
    if (text.length <= MOST_CHARACTERS) localStorage.setItem(key(name), text)
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
