/** Format times and durations. Pure: the current time is a parameter. */

const UNITS = [
  ['s', 1000],
  ['min', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
] as const

/** 820 ms · 4.2 s · 3 min 5 s · 2 h 4 min · 3 d 2 h */
export function formatDuration(ms: number): string {
  if (ms < 0) return formatDuration(0)
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(ms < 9_950 ? 1 : 0)} s`
  const seconds = Math.round(ms / 1000)
  const [days, hours] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24]
  const minutes = Math.floor(seconds / 60) % 60
  if (days) return twoUnits(days, 'd', hours, 'h')
  if (hours) return twoUnits(hours, 'h', minutes, 'min')
  return twoUnits(minutes, 'min', seconds % 60, 's')
}

function twoUnits(large: number, unit: string, small: number, smallUnit: string): string {
  return small ? `${large} ${unit} ${small} ${smallUnit}` : `${large} ${unit}`
}

/** "now", "12 s ago", "in 3 h". */
export function formatRelative(time: Date, now: Date): string {
  const ms = now.getTime() - time.getTime()
  const size = Math.abs(ms)
  if (size < 1000) return 'now'
  let text = ''
  for (const [unit, length] of UNITS) if (size >= length) text = `${Math.floor(size / length)} ${unit}`
  return ms > 0 ? `${text} ago` : `in ${text}`
}

const EXACT = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  timeZoneName: 'short',
})

/** Format to the millisecond, in the browser's time zone. */
export function formatExact(time: Date): string {
  return EXACT.format(time)
}

const DAY = { weekday: 'short', day: 'numeric', month: 'short' } as const
const MINUTE = { hour: '2-digit', minute: '2-digit' } as const
const formatters = new Map<string, Intl.DateTimeFormat>()

/** Format to the minute, in the browser's time zone; with the year if it is not the current one. */
export function formatShort(time: Date, now: Date): string {
  return formatDate(time, now, MINUTE)
}

/** Format a time with its day, in a zone or the browser's; with the year if it is not the current one in that zone. */
export function formatDate(
  time: Date,
  now: Date,
  clock: Intl.DateTimeFormatOptions,
  timeZone: string | undefined = undefined,
): string {
  const zone = timeZone ? { timeZone } : {}
  const year = formatter({ year: 'numeric', ...zone })
  const needsYear = year.format(time) !== year.format(now)
  return formatter({ ...DAY, ...(needsYear && { year: 'numeric' as const }), ...clock, ...zone }).format(time)
}

function formatter(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify(options)
  const known = formatters.get(key) ?? new Intl.DateTimeFormat('en-GB', options)
  formatters.set(key, known)
  return known
}

/** Return the milliseconds from start to end, or to now while there is no end; null before the start. */
export function elapsedMs(start: string | null, end: string | null, now: Date): number | null {
  if (!start) return null
  return (end ? Date.parse(end) : now.getTime()) - Date.parse(start)
}
