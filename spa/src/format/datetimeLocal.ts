/** Convert between RFC 3339 and the value of <input type="datetime-local">, which is in the browser's time zone. */

export function toDatetimeLocal(time: string | null): string {
  const date = new Date(time ?? '')
  if (Number.isNaN(date.getTime())) return ''
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

export function fromDatetimeLocal(text: string): string | null {
  return text ? new Date(text).toISOString() : null
}
