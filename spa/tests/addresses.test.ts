import { beforeEach, expect, test } from 'vitest'
import { apiUrl, routerBase, siblingUrl } from '@/api/roots'
import { addressOf, apiQuery, filtersOf } from '@/pages/requests/filters'

beforeEach(() => {
  document.head.innerHTML = '<meta name="localfn-api-root" content="/tools/localfn/api">'
})

test('calls go below the root that was injected', () => {
  expect(apiUrl('/requests', { status: 'failed', q: '', cursor: null })).toBe(
    '/tools/localfn/api/requests?status=failed',
  )
  expect(siblingUrl('rq/')).toBe('/tools/localfn/rq/')
})

test.each([
  ['', '/'],
  ['/', '/'],
  ['/tools/localfn', '/tools/localfn/'],
  ['https://here.example/x/', '/x/'],
  ['https://cdn.example/x/', '/'],
])('with the static root %s the router begins at %s', (root, base) => {
  expect(routerBase(root, 'https://here.example')).toBe(base)
})

test('filters survive the way through the address, and nonsense in it counts as not given', () => {
  const filters = filtersOf({ status: 'failed', time: '1h', q: ['a', 'b'], function: 'echo' })
  expect(addressOf(filters)).toEqual({ status: 'failed', time: '1h', q: 'a', function: 'echo' })
  expect(addressOf(filtersOf({ status: 'lost', time: 'toString', nothing: '1' }))).toEqual({})
})

test('a span of time begins at a full minute, so that the same question is asked for a while', () => {
  const filters = filtersOf({ time: '15m' })
  const early = apiQuery(filters, '', new Date('2026-01-01T12:00:01Z'))
  expect(early).toMatchObject({ since: '2026-01-01T11:45:00.000Z' })
  expect(apiQuery(filters, '', new Date('2026-01-01T12:00:58Z'))).toEqual(early)
})
