/** A moment in two zones: the schedule's own and the reader's. Pure. */
import { dated } from '@/format/time'

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const

export function inZone(time: string, zone: string | undefined, now: Date): string {
  try {
    return dated(new Date(time), now, CLOCK, zone).replace(/:00$/, '')
  } catch {
    return '' // a zone that this browser does not know
  }
}

export const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone
export const knownZones = () => ['UTC', ...Intl.supportedValuesOf('timeZone')]
