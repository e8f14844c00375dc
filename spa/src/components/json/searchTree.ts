/** Search a JSON value: the matching nodes, and the ancestors to expand so that they are visible. Pure. */
import type { Json } from '@/api/types'
import { isObject } from '@/api/exactJson'

/** Return the JSON Pointer (RFC 6901) of a child, such as `/columns/0/name`. */
export function childPath(path: string, key: string | number): string {
  return `${path}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

export interface Found {
  hits: Set<string>
  /** The ancestors of the hits. */
  open: Set<string>
}

export const MAX_HITS = 500

export function find(value: Json, text: string): Found {
  const found: Found = { hits: new Set(), open: new Set() }
  const needle = text.trim().toLowerCase()
  if (needle) visit(value, '', needle, found, [])
  return found
}

function visit(value: Json, path: string, needle: string, found: Found, ancestors: string[]): void {
  for (const [key, child] of entries(value)) {
    if (found.hits.size >= MAX_HITS) return
    const pointer = childPath(path, key)
    const isHit =
      (typeof key === 'string' && key.toLowerCase().includes(needle)) ||
      (!isBranch(child) && String(child).toLowerCase().includes(needle))
    if (isHit) {
      found.hits.add(pointer)
      for (const ancestor of [...ancestors, path]) found.open.add(ancestor)
    }
    if (isBranch(child)) visit(child, pointer, needle, found, [...ancestors, path])
  }
}

export type Branch = Json[] | { [key: string]: Json }

export function isBranch(value: Json): value is Branch {
  return Array.isArray(value) || isObject(value)
}

export function entries(value: Json): [string | number, Json][] {
  if (Array.isArray(value)) return value.map((child, index) => [index, child])
  return isBranch(value) ? Object.entries(value) : []
}
