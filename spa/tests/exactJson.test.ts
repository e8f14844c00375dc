import { describe, expect, it } from 'vitest'
import { ref } from 'vue'
import { ExactNumber, isNumber, parseResponse, parseExact } from '@/api/exactJson'
import { formatJson, memberText } from '@/components/json/jsonText'

const NUMBERS = ['1849263518273645211', '1.0', '-0', '1E5', '0.12345678901234567890', '1e400', '3.10']

describe('exact JSON', () => {
  it.each(NUMBERS)('writes %s as it was read, wherever it stands', (number) => {
    for (const text of [number, `[${number}]`, `{"a":{"b":${number}}}`, `{"__proto__":${number}}`])
      expect(JSON.stringify(parseExact(text))).toBe(text)
  })

  it('keeps numbers that JavaScript keeps as numbers', () => {
    expect(parseExact('[0,1,-2,1.5,1e+21,9007199254740991]')).toEqual([0, 1, -2, 1.5, 1e21, 9007199254740991])
  })

  it('shows an exact number as its digits', () => {
    const value = parseExact('1849263518273645211')
    expect(isNumber(value)).toBe(true)
    expect(String(value)).toBe('1849263518273645211')
  })

  it('survives being made reactive', () => {
    expect(JSON.stringify(ref({ deep: parseExact('[1.0]') }).value)).toBe('{"deep":[1.0]}')
  })
})

describe('an API response', () => {
  it("keeps users' numbers exact, and the API's own plain", () => {
    const one = '{"event":{"id":1.0},"progress":{"fraction":1.0},"attempt":1}'
    for (const answer of [
      parseResponse(one),
      (parseResponse(`{"items":[${one}]}`) as { items: object[] }).items[0],
    ])
      expect(answer).toEqual({
        event: { id: new ExactNumber('1.0') },
        progress: { fraction: 1 },
        attempt: 1,
      })
  })

  it('is plain if it holds no JSON of users', () => {
    expect(parseResponse('{"p50_ms":12.0,"items":[1.0]}')).toEqual({ p50_ms: 12, items: [1] })
  })
})

describe('JSON as text', () => {
  const event = '{"2": 1.0, "1": [1849263518273645211, "\\ud83d\\ude00"]}'

  it('returns the exact text of a member', () => {
    expect(memberText(`{"id":"x","event":${event},"files":[{"event":1}]}`, 'event')).toBe(event)
    expect(() => memberText('{"id":1}', 'event')).toThrow('no event')
  })

  it('formats without changing anything but white space', () => {
    expect(formatJson(event)).toContain('\n  "2": 1.0,')
    expect(formatJson(event).replaceAll(/\s/g, '')).toBe(event.replaceAll(/\s/g, ''))
  })
})
