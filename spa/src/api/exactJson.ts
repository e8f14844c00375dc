/**
 * Parse JSON without changing a number. JavaScript reads 1849263518273645211 as …645300 and 1.0 as 1: a number that
 * would change becomes an ExactNumber, which keeps its text. Pure.
 */
import type { Json } from './types'

export class ExactNumber {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text
  }

  /** Let JSON.stringify write the original text. */
  toJSON(): unknown {
    return JSON.rawJSON(this.text)
  }
}

export function isNumber(value: unknown): value is number | ExactNumber {
  return typeof value === 'number' || value instanceof ExactNumber
}

/** Parse JSON. Throws SyntaxError. Browsers from before 2025 do not report a number's source text and round it. */
export function parseExact(text: string): Json {
  return JSON.parse(text, (_, value: unknown, { source }: { source?: string } = {}) =>
    typeof value === 'number' && source !== undefined && source !== String(value)
      ? new ExactNumber(source)
      : value,
  ) as Json
}

/** Members with JSON of users. All other numbers are the API's own and stay plain numbers. */
const USER_JSON_FIELDS = ['event', 'data', 'result', 'input_schema', 'details']
const HAS_USER_JSON = new RegExp(`"(?:${USER_JSON_FIELDS.join('|')})"\\s*:`)

/** Parse an API response: one resource, or a page with resources in `items`. Throws SyntaxError. */
export function parseResponse(text: string): unknown {
  if (!HAS_USER_JSON.test(text)) return JSON.parse(text)
  const response = parseExact(text)
  if (!isObject(response) || !Array.isArray(response.items)) return keepUserJson(response)
  return { ...(toPlainNumbers(response) as object), items: response.items.map(keepUserJson) }
}

function keepUserJson(value: Json): unknown {
  if (!isObject(value)) return toPlainNumbers(value)
  return mapMembers(value, (name, member) =>
    USER_JSON_FIELDS.includes(name) ? member : toPlainNumbers(member),
  )
}

function toPlainNumbers(value: Json): unknown {
  if (value instanceof ExactNumber) return Number(value.text)
  if (Array.isArray(value)) return value.map(toPlainNumbers)
  return isObject(value) ? mapMembers(value, (_, member) => toPlainNumbers(member)) : value
}

function mapMembers(
  value: { [key: string]: Json },
  transform: (name: string, member: Json) => unknown,
): object {
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, transform(name, member)]))
}

export function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)
  )
}
