/** A moment in two zones: the schedule's own and the reader's. Pure. */
const OPTIONS: Intl.DateTimeFormatOptions = {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
}
const made = new Map<string, Intl.DateTimeFormat>()

export function inZone(time: string, zone: string | undefined): string {
  const key = zone ?? ''
  let format = made.get(key)
  if (!format) {
    try {
      format = new Intl.DateTimeFormat('en-GB', { ...OPTIONS, ...(zone && { timeZone: zone }) })
    } catch {
      return '' // a zone that this browser does not know
    }
    made.set(key, format)
  }
  return format.format(new Date(time)).replace(/:00$/, '')
}

export const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone
export const knownZones = () => ['UTC', ...Intl.supportedValuesOf('timeZone')]
