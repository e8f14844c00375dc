/** Where a text occurs in a JSON value, and which nodes have to be open for it to be seen. Pure. */
import type { Json } from '@/api/types'
import { isObject } from '@/api/exactJson'

/** `/columns/0/name`: each key after a slash, with `~` and `/` in keys escaped as RFC 6901 does. */
export function childPath(path: string, key: string | number): string {
  return `${path}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

export interface Found {
  hits: Set<string>
  /** The hits' ancestors. */
  open: Set<string>
}

export const MAX_HITS = 500

export function find(value: Json, text: string): Found {
  const found: Found = { hits: new Set(), open: new Set() }
  const wanted = text.trim().toLowerCase()
  if (wanted) visit(value, '', wanted, found, [])
  return found
}

function visit(value: Json, path: string, wanted: string, found: Found, ancestors: string[]): void {
  for (const [key, child] of entries(value)) {
    if (found.hits.size >= MAX_HITS) return
    const here = childPath(path, key)
    const isHit =
      (typeof key === 'string' && key.toLowerCase().includes(wanted)) ||
      (!isBranch(child) && String(child).toLowerCase().includes(wanted))
    if (isHit) {
      found.hits.add(here)
      for (const ancestor of [...ancestors, path]) found.open.add(ancestor)
    }
    if (isBranch(child)) visit(child, here, wanted, found, [...ancestors, path])
  }
}

export type Branch = Json[] | { [key: string]: Json }

export function isBranch(value: Json): value is Branch {
  return Array.isArray(value) || isObject(value)
}

export function entries(value: Json): [string | number, Json][] {
  if (Array.isArray(value)) return value.map((child, place) => [place, child])
  return isBranch(value) ? Object.entries(value) : []
}
