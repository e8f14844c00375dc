import { expect, test } from 'vitest'
import { filtersToApi, filtersFromUrl } from '@/pages/requests/filters'

const NOW = new Date('2026-01-01T00:00:10.000Z')

test('the failed filter excludes cancelled requests; the cancelled filter finds them', () => {
  const asked = (status: string) => filtersToApi(filtersFromUrl({ status }), '', NOW)
  expect(asked('failed')).toMatchObject({ status: 'failed', cancelled: false })
  expect(asked('cancelled')).toMatchObject({ status: 'failed', cancelled: true })
  expect(asked('completed')).not.toHaveProperty('cancelled')
})
