import { beforeEach, expect, test } from 'vitest'
import { apiUrl, routerBase, siblingUrl } from '@/api/baseUrls'
import { filtersToUrl, filtersToApi, filtersFromUrl } from '@/pages/requests/filters'

beforeEach(() => {
  document.head.innerHTML = '<meta name="localfn-api-root" content="/tools/localfn/api">'
})

test('call URLs start with the injected base URL', () => {
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

test('filters survive the round trip through the URL; invalid values are ignored', () => {
  const filters = filtersFromUrl({ status: 'failed', time: '1h', q: ['a', 'b'], function: 'echo' })
  expect(filtersToUrl(filters)).toEqual({ status: 'failed', time: '1h', q: 'a', function: 'echo' })
  expect(filtersToUrl(filtersFromUrl({ status: 'lost', time: 'toString', nothing: '1' }))).toEqual({})
})

test('a time range starts at a full minute, so that the call URL stays the same', () => {
  const filters = filtersFromUrl({ time: '15m' })
  const early = filtersToApi(filters, '', new Date('2026-01-01T12:00:01Z'))
  expect(early).toMatchObject({ since: '2026-01-01T11:45:00.000Z' })
  expect(filtersToApi(filters, '', new Date('2026-01-01T12:00:58Z'))).toEqual(early)
})
