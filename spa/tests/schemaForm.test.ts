import { describe, expect, it } from 'vitest'
import { formOf, initialOf, missing, whole, type Schema } from '@/pages/functions/schemaForm'

// As pydantic writes it: references, optional fields as anyOf with null, defaults.
const ORDER: Schema = {
  type: 'object',
  required: ['customer', 'lines'],
  properties: {
    customer: { $ref: '#/$defs/Customer' },
    lines: { type: 'array', items: { $ref: '#/$defs/Line' } },
    speed: { enum: ['slow', 'quick'], default: 'slow' },
    note: { anyOf: [{ type: 'string', maxLength: 1000 }, { type: 'null' }], default: null },
    extra: { type: 'object' },
  },
  $defs: {
    Customer: {
      type: 'object',
      required: ['name'],
      properties: { name: { type: 'string' }, age: { type: 'integer' } },
    },
    Line: {
      type: 'object',
      required: ['count'],
      properties: { count: { type: 'number', minimum: 1 }, gift: { type: 'boolean' } },
    },
  },
}

describe('a form made from a schema', () => {
  const form = formOf(ORDER)
  if (form?.kind !== 'object') throw new Error('no form')
  const field = (name: string) => form.fields.find((entry) => entry.name === name)?.field

  it('has a field of the right kind for each property', () => {
    expect(form.fields.map(({ name, field: { kind } }) => [name, kind])).toEqual([
      ['customer', 'object'],
      ['lines', 'array'],
      ['speed', 'choice'],
      ['note', 'text'],
      ['extra', 'json'],
    ])
    expect(field('lines')).toMatchObject({
      item: { kind: 'object', fields: [{ name: 'count' }, { name: 'gift' }] },
    })
    expect(field('note')).toMatchObject({ isLong: true, isRequired: false })
  })

  it('begins with the defaults and the required parts, and leaves the rest out', () => {
    expect(initialOf(form)).toEqual({ customer: {}, lines: [], speed: 'slow', note: null })
  })

  it('names what is required and empty, however deep', () => {
    expect(missing(form, initialOf(form))).toEqual(['customer.name'])
    expect(missing(form, { customer: { name: 'Ada' }, lines: [{ count: 1 }, {}] })).toEqual([
      'lines[2].count',
    ])
    expect(missing(form, { customer: { name: 'Ada' }, lines: [] })).toEqual([])
  })

  it('does without a form where the schema says nothing of properties', () => {
    expect(formOf(null)).toBeNull()
    expect(formOf({ type: 'string' })).toBeNull()
    expect(formOf({ type: 'object' })).toBeNull()
  })

  it('ends where a schema refers to itself', () => {
    const tree: Schema = { type: 'object', properties: { left: { $ref: '#' }, value: { type: 'integer' } } }
    expect(JSON.stringify(formOf(tree))).toContain('"json"')
  })

  it('keeps null and drops what is left out', () => {
    expect(whole({ a: null, b: undefined, c: 0 })).toEqual({ a: null, c: 0 })
  })
})
