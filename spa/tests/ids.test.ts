import { describe, expect, it } from 'vitest'
import { timeOfId } from '@/api/ids'
import { count } from '@/texts'

describe('a request id', () => {
  it('contains its time of creation', () => {
    // RFC 9562, A.6: Tuesday, February 22, 2022 2:22:22.00 PM GMT-05:00
    expect(timeOfId('017f22e2-79b0-7cc3-98c4-dc0c0c07398f').toISOString()).toBe('2022-02-22T19:22:22.000Z')
  })
})

describe('a count', () => {
  it('uses the plural', () => {
    expect([0, 1, 2, 1200].map((n) => count(n, 'row'))).toEqual(['0 rows', '1 row', '2 rows', '1,200 rows'])
    expect(count(2, 'request ends', 'requests end')).toBe('2 requests end')
  })
})
