/**
 * JSON with every number as it was written. JavaScript reads 1849263518273645211 as …645300 and 1.0 as 1: a number
 * that would change becomes an ExactNumber, which keeps its text. Pure.
 */
import type { Json } from './types'

export class ExactNumber {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text
  }

  /** Called by JSON.stringify, which writes the text as it is. */
  toJSON(): unknown {
    return JSON.rawJSON(this.text)
  }
}

export function isNumber(value: unknown): value is number | ExactNumber {
  return typeof value === 'number' || value instanceof ExactNumber
}

/** Parse JSON. Throws SyntaxError. Browsers that do not tell a number's source (before 2025) round it. */
export function parseExact(text: string): Json {
  return JSON.parse(text, (_, value: unknown, { source }: { source?: string } = {}) =>
    typeof value === 'number' && source !== undefined && source !== String(value)
      ? new ExactNumber(source)
      : value,
  ) as Json
}

/** Where the API carries JSON of a user; every other number is the API's own and stays a number. */
const USER_JSON_FIELDS = ['event', 'data', 'result', 'input_schema', 'details']
const HAS_USER_JSON = new RegExp(`"(?:${USER_JSON_FIELDS.join('|')})"\\s*:`)

/** Parse an answer of the API: one resource, or a page of them in `items`. Throws SyntaxError. */
export function parseResponse(text: string): unknown {
  if (!HAS_USER_JSON.test(text)) return JSON.parse(text)
  const answer = parseExact(text)
  if (!isObject(answer) || !Array.isArray(answer.items)) return resource(answer)
  return { ...(plain(answer) as object), items: answer.items.map(resource) }
}

function resource(value: Json): unknown {
  if (!isObject(value)) return plain(value)
  return mapped(value, (name, member) => (USER_JSON_FIELDS.includes(name) ? member : plain(member)))
}

function plain(value: Json): unknown {
  if (value instanceof ExactNumber) return Number(value.text)
  if (Array.isArray(value)) return value.map(plain)
  return isObject(value) ? mapped(value, (_, member) => plain(member)) : value
}

function mapped(value: { [key: string]: Json }, change: (name: string, member: Json) => unknown): object {
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, change(name, member)]))
}

export function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)
  )
}
