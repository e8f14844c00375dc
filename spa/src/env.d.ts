/// <reference types="vite/client" />

// Missing in TypeScript's library: https://tc39.es/proposal-json-parse-with-source/
interface JSON {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context?: { source?: string }) => unknown,
  ): unknown
  rawJSON(text: string): unknown
}
