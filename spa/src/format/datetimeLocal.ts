/** What an <input type="datetime-local"> holds, in the reader's own zone, and back. */

export function toDatetimeLocal(time: string | null): string {
  const date = new Date(time ?? '')
  if (Number.isNaN(date.getTime())) return ''
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

export function fromDatetimeLocal(text: string): string | null {
  return text ? new Date(text).toISOString() : null
}
