/** Parse typed JSON into its value or the position of the first syntax error. Pure. */
import { parse, printParseErrorCode, type ParseError } from 'jsonc-parser'
import type { Json } from '@/api/types'
import { parseExact } from '@/api/exactJson'

export interface JsonSyntaxError {
  offset: number
  length: number
  line: number
  column: number
  message: string
}

export type Parsed = { value: Json; syntaxError: null } | { value: null; syntaxError: JsonSyntaxError }

const STRICT = { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false }

export function parseJson(text: string): Parsed {
  const errors: ParseError[] = []
  parse(text, errors, STRICT)
  const first = errors[0]
  if (first)
    return { value: null, syntaxError: syntaxErrorAt(text, first.offset, first.length, describe(first)) }
  try {
    return { value: parseExact(text), syntaxError: null }
  } catch (error) {
    // jsonc-parser accepts a few invalid numbers and strings, so the browser's parser decides.
    return {
      value: null,
      syntaxError: syntaxErrorAt(text, 0, text.length, error instanceof Error ? error.message : ''),
    }
  }
}

/** "ColonExpected" → "colon expected" */
function describe(error: ParseError): string {
  return printParseErrorCode(error.error)
    .replace(/(?<=[a-z])[A-Z]/g, ' $&')
    .toLowerCase()
}

function syntaxErrorAt(text: string, offset: number, length: number, message: string): JsonSyntaxError {
  const preceding = text.slice(0, offset)
  const line = preceding.split('\n').length
  return { offset, length: Math.max(1, length), line, column: offset - preceding.lastIndexOf('\n'), message }
}
