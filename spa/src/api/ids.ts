/** Request ids are UUIDv7 (RFC 9562): the first 48 bits are the time of creation in milliseconds. */

export function timeOfId(id: string): Date {
  return new Date(Number.parseInt(id.replace('-', '').slice(0, 12), 16))
}
