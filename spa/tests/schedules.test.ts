import { toString } from 'cronstrue'
import { describe, expect, it } from 'vitest'
import { changedFields, draftFromSchedule, emptyDraft, fieldsToSend } from '@/pages/schedules/scheduleDraft'
import { describeExpression } from '@/pages/schedules/cronText'
import { formatInZone } from '@/pages/schedules/timeZones'
import type { Schedule } from '@/api/schedules'

describe('a description of an expression', () => {
  it.each([
    ['*/5 * * * *', 'Every 5 minutes, every hour, every day'],
    ['30 2 * * MON-FRI', 'At 02:30, Monday through Friday'],
    ['@daily', 'At 00:00, every day'],
    ['cron(0 9 ? * 2-6 *)', 'At 09:00, Monday through Friday'],
    ['rate(1 hour)', 'Every hour'],
    ['rate(1 minutes)', 'Every minute'],
    ['rate( 01  Minutes )', 'Every minute'],
    ['rate(5 minutes)', 'Every 5 minutes'],
    ['rate(5 minute)', 'Every 5 minutes'],
    ['at(2030-01-31T12:00:00)', 'Once, at 2030-01-31 12:00:00'],
  ])('%s', (expression, words) => {
    expect(describeExpression(expression, toString)).toBe(words)
  })

  it('is empty for an invalid expression', () => {
    expect(describeExpression('every tuesday', toString)).toBe('')
    expect(describeExpression('61 * * * *', toString)).toBe('')
  })
})

const SCHEDULE: Schedule = {
  name: 'nightly',
  function: 'echo',
  event: { n: 1 },
  expression: '@daily',
  timezone: 'UTC',
  enabled: true,
  start_at: null,
  end_at: null,
  max_runs: null,
  misfire: 'once',
  misfire_grace_s: 10,
  overlap: 'allow',
  queue: null,
  description: '',
  declared: false,
  next_run_at: null,
  last_run_at: null,
  total_runs: 3,
  last_request: null,
  error: null,
}

describe('the fields that the editor sends', () => {
  it('are the changed ones for an existing schedule', () => {
    const before = draftFromSchedule(SCHEDULE)
    expect(changedFields(before, before)).toEqual({})
    expect(changedFields({ ...before, event: '{"n": 2}', runs: '5' }, before)).toEqual({
      event: { n: 2 },
      max_runs: 5,
    })
    expect(changedFields({ ...before, event: ' { "n" : 1 } ' }, before)).toEqual({})
  })

  it('are all for a new schedule, with null for empty ones', () => {
    const draft = { ...emptyDraft('echo', 'Europe/Berlin'), name: ' x ', expression: '@daily' }
    expect(fieldsToSend(draft)).toMatchObject({
      name: 'x',
      function: 'echo',
      timezone: 'Europe/Berlin',
      queue: null,
      max_runs: null,
    })
  })
})

describe('a time in a zone', () => {
  const now = new Date('2026-01-01T00:00:00Z')
  it('shows seconds only if they are not zero', () => {
    expect(formatInZone('2026-07-01T12:00:00Z', 'Europe/Berlin', now)).toMatch(/^Wed,? 1 Jul,? 14:00$/)
    expect(formatInZone('2026-07-01T12:00:05Z', 'UTC', now)).toMatch(/^Wed,? 1 Jul,? 12:00:05$/)
    expect(formatInZone('2026-07-01T12:00:00Z', 'Mars/Base', now)).toBe('')
  })
})
