/// <reference types="vite/client" />

// Not in TypeScript's own library yet: https://tc39.es/proposal-json-parse-with-source/
interface JSON {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context?: { source?: string }) => unknown,
  ): unknown
  rawJSON(text: string): unknown
}
