import { expect, test } from 'vitest'
import { parseJson } from '@/components/json/parseJson'
import { find, MAX_HITS } from '@/components/json/searchTree'

test.each([
  ['{"a": 1,}', 1, 9],
  ['{\n  "a": tru\n}', 2, 8],
  ['{"a": NaN}', 1, 7],
  ["{'a': 1}", 1, 2],
  ['[1] // no', 1, 5],
])('%s has a syntax error at its position', (text, line, column) => {
  expect(parseJson(text).syntaxError).toMatchObject({ line, column })
})

test.each(['01', '"\t"', '{"a": 1} 2', ''])('%s is not JSON', (text) => {
  expect(parseJson(text).syntaxError).not.toBeNull()
})

test('JSON is parsed into its value', () => {
  expect(parseJson('{"a": [1, "é", null]}')).toEqual({ value: { a: [1, 'é', null] }, syntaxError: null })
})

test('a search finds keys and values, and expands their ancestors', () => {
  const found = find({ orders: [{ city: 'Paris' }, { city: 'Rome' }], 'a/b': 'paris' }, 'PARIS')
  expect([...found.hits]).toEqual(['/orders/0/city', '/a~1b'])
  expect([...found.open]).toEqual(['', '/orders', '/orders/0'])
})

test('an empty search finds nothing; the number of hits is limited', () => {
  expect(find([1, 2], ' ').hits.size).toBe(0)
  expect(
    find(
      Array.from({ length: 5_000 }, () => 'x'),
      'x',
    ).hits.size,
  ).toBe(MAX_HITS)
})
