import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const css = readFileSync('src/styles/tokens.css', 'utf8')

function valuesOf(block: string): string[] {
  return [...block.matchAll(/--[\w-]+: [^;]+;|color-scheme: [^;]+;/g)].map(([line]) => line)
}

test('the chosen and the system’s dark theme have the same values', () => {
  const [, chosen, systems] =
    /data-theme='dark'\] \{(.*?)\n\}.*prefers-color-scheme: dark\) \{(.*)\}/s.exec(css) ?? []
  expect(valuesOf(chosen ?? '').length).toBeGreaterThan(20)
  expect(valuesOf(systems ?? '')).toEqual(valuesOf(chosen ?? ''))
})
