/** The editor's draft of a schedule: fields as typed, and their conversion to the API. Pure. */
import type { Schedule, ScheduleFields } from '@/api/schedules'
import { parseJson } from '@/components/json/parseJson'
import { fromDatetimeLocal, toDatetimeLocal } from '@/format/datetimeLocal'

export interface Draft {
  name: string
  function: string
  expression: string
  timezone: string
  event: string
  queue: string
  misfire: ScheduleFields['misfire']
  grace: string
  overlap: ScheduleFields['overlap']
  runs: string
  start: string
  end: string
  description: string
}

export function emptyDraft(functionName: string, zone: string): Draft {
  return {
    name: '',
    function: functionName,
    expression: '',
    timezone: zone,
    event: '{}',
    queue: '',
    misfire: 'once',
    grace: '10',
    overlap: 'allow',
    runs: '',
    start: '',
    end: '',
    description: '',
  }
}

export function draftFromSchedule(schedule: Schedule): Draft {
  return {
    ...schedule,
    event: JSON.stringify(schedule.event, null, 2),
    queue: schedule.queue ?? '',
    grace: String(schedule.misfire_grace_s),
    runs: schedule.max_runs === null ? '' : String(schedule.max_runs),
    start: toDatetimeLocal(schedule.start_at),
    end: toDatetimeLocal(schedule.end_at),
  }
}

export function fieldsToSend(draft: Draft): ScheduleFields {
  const { value } = parseJson(draft.event)
  return {
    name: draft.name.trim(),
    function: draft.function,
    event: value,
    expression: draft.expression.trim(),
    timezone: draft.timezone.trim(),
    enabled: true,
    start_at: fromDatetimeLocal(draft.start),
    end_at: fromDatetimeLocal(draft.end),
    max_runs: draft.runs === '' ? null : Number(draft.runs),
    misfire: draft.misfire,
    misfire_grace_s: Number(draft.grace),
    overlap: draft.overlap,
    queue: draft.queue.trim() || null,
    description: draft.description,
  }
}

/** Return the fields that differ from the saved schedule, for PATCH. */
export function changedFields(draft: Draft, saved: Draft): Partial<ScheduleFields> {
  const [next, previous] = [fieldsToSend(draft), fieldsToSend(saved)]
  const names = Object.keys(next) as (keyof ScheduleFields)[]
  const differ = names.filter((name) => JSON.stringify(next[name]) !== JSON.stringify(previous[name]))
  return Object.fromEntries(differ.map((name) => [name, next[name]]))
}
