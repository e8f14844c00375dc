/** Times in the schedule's time zone and in the browser's. */
import { formatDate } from '@/format/time'

const TIME = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const

export function formatInZone(time: string, zone: string | undefined, now: Date): string {
  try {
    return formatDate(new Date(time), now, TIME, zone).replace(/:00$/, '')
  } catch {
    return '' // the browser does not know the zone
  }
}

export const browserTimeZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone
export const supportedTimeZones = () => ['UTC', ...Intl.supportedValuesOf('timeZone')]
