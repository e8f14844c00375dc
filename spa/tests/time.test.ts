import { expect, test } from 'vitest'
import { formatDate, formatDuration, formatRelative, formatShort } from '@/format/time'

test.each([
  [0, '0 ms'],
  [999.4, '999 ms'],
  [4_249, '4.2 s'],
  [59_960, '1 min'],
  [185_000, '3 min 5 s'],
  [7_440_000, '2 h 4 min'],
  [266_400_000, '3 d 2 h'],
  [-5, '0 ms'],
])('%d ms is shown as %s', (ms, text) => expect(formatDuration(ms)).toBe(text))

test.each([
  [400, 'now'],
  [12_700, '12 s ago'],
  [-3 * 3_600_000, 'in 3 h'],
  [90_000_000, '1 d ago'],
])('a time %d ms ago is %s', (ago, text) => {
  const now = new Date('2026-01-01T00:00:00Z')
  expect(formatRelative(new Date(now.getTime() - ago), now)).toBe(text)
})

test('a date has a year if it is not the current one in the shown zone', () => {
  const now = new Date('2026-06-01T12:00:00Z')
  expect(formatShort(new Date('2026-03-04T05:06:00Z'), now)).not.toContain('2026')
  expect(formatShort(new Date('2027-03-04T05:06:00Z'), now)).toContain('2027')
  const newYear = new Date('2026-12-31T23:30:00Z')
  expect(formatDate(newYear, now, {}, 'UTC')).not.toMatch(/20\d\d/)
  expect(formatDate(newYear, now, {}, 'Asia/Tokyo')).toContain('2027')
})
