/** /api/schedules. */
import { json, request } from './client'
import type { Json, Request, Status } from './types'

export interface ScheduleFields {
  name: string
  function: string
  event: Json
  expression: string
  timezone: string
  enabled: boolean
  start_at: string | null
  end_at: string | null
  max_runs: number | null
  misfire: 'skip' | 'once' | 'all'
  misfire_grace_s: number
  overlap: 'allow' | 'skip'
  queue: string | null
  description: string
}

export interface Schedule extends ScheduleFields {
  declared: boolean
  next_run_at: string | null
  last_run_at: string | null
  total_runs: number
  last_request: { id: string; status: Status; cancelled: boolean } | null
  error: string | null
}

const path = (name: string, rest = '') => `/schedules/${encodeURIComponent(name)}${rest}`

export const listSchedules = async (signal?: AbortSignal) =>
  (await json<{ items: Schedule[] }>('/schedules', { signal })).items
export const readSchedule = (name: string, signal?: AbortSignal) => json<Schedule>(path(name), { signal })
export const createSchedule = (fields: Partial<ScheduleFields>) =>
  json<Schedule>('/schedules', { method: 'POST', json: fields })
export const changeSchedule = (name: string, fields: Partial<ScheduleFields>) =>
  json<Schedule>(path(name), { method: 'PATCH', json: fields })
export const deleteSchedule = (name: string) => request(path(name), { method: 'DELETE' })
export const runSchedule = (name: string) => json<Request>(path(name, '/run'), { method: 'POST' })

export const nextTimes = async (name: string, signal?: AbortSignal) =>
  (await json<{ times: string[] }>(path(name, '/next'), { query: { count: 10 }, signal })).times

/** Return the next ten times of an unsaved schedule. Throws Problem that names the invalid field. */
export const previewTimes = async (
  fields: Partial<Pick<ScheduleFields, 'expression' | 'timezone' | 'start_at' | 'end_at'>>,
  signal?: AbortSignal,
) =>
  (
    await json<{ times: string[] }>('/schedules/preview', {
      method: 'POST',
      query: { count: 10 },
      json: fields,
      signal,
    })
  ).times
