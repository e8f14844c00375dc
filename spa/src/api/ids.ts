/** What the id of a request tells: it is a UUIDv7 (RFC 9562), which begins with the milliseconds of its making. */

export function timeOfId(id: string): Date {
  return new Date(Number.parseInt(id.replace('-', '').slice(0, 12), 16))
}
