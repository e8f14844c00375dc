import { describe, expect, it } from 'vitest'
import {
  formFromSchema,
  initialValue,
  missingFields,
  matchingVariant,
  omitUndefined,
  type Schema,
} from '@/pages/functions/schemaForm'

// As pydantic writes schemas: references, optional fields as anyOf with null, defaults.
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
  const form = formFromSchema(ORDER)
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

  it('starts with defaults and required parts, and omits the rest', () => {
    expect(initialValue(form)).toEqual({ customer: {}, lines: [], speed: 'slow', note: null })
  })

  it('lists missing required fields at any depth', () => {
    expect(missingFields(form, initialValue(form))).toEqual(['customer.name'])
    expect(missingFields(form, { customer: { name: 'Ada' }, lines: [{ count: 1 }, {}] })).toEqual([
      'lines[2].count',
    ])
    expect(missingFields(form, { customer: { name: 'Ada' }, lines: [] })).toEqual([])
  })

  it('is null for a schema without properties', () => {
    expect(formFromSchema(null)).toBeNull()
    expect(formFromSchema({ type: 'string' })).toBeNull()
    expect(formFromSchema({ type: 'object' })).toBeNull()
  })

  it('ends in a schema that refers to itself', () => {
    const tree: Schema = { type: 'object', properties: { left: { $ref: '#' }, value: { type: 'integer' } } }
    expect(JSON.stringify(formFromSchema(tree))).toContain('"json"')
  })

  it('keeps null and drops undefined', () => {
    expect(omitUndefined({ a: null, b: undefined, c: 0 })).toEqual({ a: null, c: 0 })
  })
})

// As pydantic writes `pay: Card | Cash` with a discriminator, and `size: int | str | None`.
const PAID: Schema = {
  type: 'object',
  required: ['pay'],
  properties: {
    pay: { oneOf: [{ $ref: '#/$defs/Card' }, { $ref: '#/$defs/Cash' }] },
    size: { anyOf: [{ type: 'integer' }, { type: 'string' }, { type: 'null' }], default: null },
  },
  $defs: {
    Card: {
      title: 'Card',
      type: 'object',
      required: ['number'],
      properties: { kind: { const: 'card', default: 'card' }, number: { type: 'string' } },
    },
    Cash: { title: 'Cash', type: 'object', properties: { kind: { const: 'cash', default: 'cash' } } },
  },
}

describe('a field of several variants', () => {
  const form = formFromSchema(PAID)
  if (form?.kind !== 'object') throw new Error('no form')
  const [pay, size] = form.fields.map(({ field }) => field)
  if (pay?.kind !== 'variants' || size?.kind !== 'variants') throw new Error('no variants')

  it('starts with the first variant and its discriminator', () => {
    expect(initialValue(form)).toEqual({ pay: { kind: 'card' }, size: null })
  })

  it('is matched by discriminator or by type', () => {
    const kinds = [{ kind: 'card' }, { kind: 'cash' }, { kind: 'coin' }, 7, undefined]
    expect(kinds.map((value) => matchingVariant(pay.variants, value))).toEqual([0, 1, -1, -1, -1])
    expect([7, 'seven', true].map((value) => matchingVariant(size.variants, value))).toEqual([0, 1, -1])
    expect(size.variants.map(({ title }) => title)).toEqual(['integer', 'string'])
  })

  it('reports the missing fields of the chosen variant', () => {
    expect(missingFields(form, { pay: { kind: 'card' } })).toEqual(['pay.number'])
    expect(missingFields(form, { pay: { kind: 'cash' } })).toEqual([])
    expect(missingFields(form, {})).toEqual(['pay'])
  })
})
