import { toString } from 'cronstrue'
import { describe, expect, it } from 'vitest'
import { changed, draftFromSchedule, emptyDraft, sent } from '@/pages/schedules/scheduleDraft'
import { inWords } from '@/pages/schedules/cronText'
import { formatInZone } from '@/pages/schedules/timeZones'
import type { Schedule } from '@/api/schedules'

describe('an expression in words', () => {
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
    expect(inWords(expression, toString)).toBe(words)
  })

  it('has none for what is no expression', () => {
    expect(inWords('every tuesday', toString)).toBe('')
    expect(inWords('61 * * * *', toString)).toBe('')
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

describe('what the editor sends', () => {
  it('of a change is what differs, and nothing else', () => {
    const before = draftFromSchedule(SCHEDULE)
    expect(changed(before, before)).toEqual({})
    expect(changed({ ...before, event: '{"n": 2}', runs: '5' }, before)).toEqual({
      event: { n: 2 },
      max_runs: 5,
    })
    expect(changed({ ...before, event: ' { "n" : 1 } ' }, before)).toEqual({})
  })

  it('of a new one is all of it, with null for what is empty', () => {
    const draft = { ...emptyDraft('echo', 'Europe/Berlin'), name: ' x ', expression: '@daily' }
    expect(sent(draft)).toMatchObject({
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
  it('is that of its clocks, with seconds only where there are some', () => {
    expect(formatInZone('2026-07-01T12:00:00Z', 'Europe/Berlin', now)).toMatch(/^Wed,? 1 Jul,? 14:00$/)
    expect(formatInZone('2026-07-01T12:00:05Z', 'UTC', now)).toMatch(/^Wed,? 1 Jul,? 12:00:05$/)
    expect(formatInZone('2026-07-01T12:00:00Z', 'Mars/Base', now)).toBe('')
  })
})
