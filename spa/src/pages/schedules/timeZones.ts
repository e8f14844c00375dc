/** A moment in two zones: the schedule's own and the reader's. Pure. */
import { formatDate } from '@/format/time'

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const

export function formatInZone(time: string, zone: string | undefined, now: Date): string {
  try {
    return formatDate(new Date(time), now, CLOCK, zone).replace(/:00$/, '')
  } catch {
    return '' // a zone that this browser does not know
  }
}

export const browserTimeZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone
export const supportedTimeZones = () => ['UTC', ...Intl.supportedValuesOf('timeZone')]
