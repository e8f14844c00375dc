/** Turn a JSON Schema into form fields with initial values. Parts that no field can show are typed as JSON. Pure. */
import type { Json } from '@/api/types'
import { isNumber, isObject, parseExact } from '@/api/exactJson'

export type Schema = { [key: string]: Json }
export type Value = Json | undefined

interface Common {
  title: string
  description: string
  isRequired: boolean
  initial: Value
}
export type Field =
  | (Common & { kind: 'object'; fields: { name: string; field: Field }[] })
  | (Common & { kind: 'array'; item: Field })
  | (Common & { kind: 'choice'; choices: Json[] })
  | (Common & { kind: 'number'; isWhole: boolean; min: number | null; max: number | null })
  | (Common & { kind: 'text'; isLong: boolean; format: string; pattern: string | null })
  | (Common & { kind: 'boolean' })
  | (Common & { kind: 'variants'; variants: { title: string; field: Field }[] })
  | (Common & { kind: 'json' })

/** The input type for each JSON Schema format. */
export const INPUT_TYPES: Record<string, string> = {
  email: 'email',
  date: 'date',
  time: 'time',
  uri: 'url',
  'date-time': 'datetime-local',
}

const MAX_DEPTH = 8 // limits schemas that refer to themselves

export function formFromSchema(schema: Schema | null): Field | null {
  if (!schema) return null
  const field = fieldFromSchema(schema, schema, '', true, 0)
  return field.kind === 'object' && field.fields.length ? field : null
}

function resolveRef(schema: Schema, root: Schema): Schema {
  const target = schema.$ref
  if (typeof target !== 'string' || !target.startsWith('#/')) return schema
  let found: Value = root
  for (const part of target.slice(2).split('/')) {
    if (!isObject(found)) return schema
    found = found[part.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  return isObject(found) ? { ...found, ...schema, $ref: null } : schema
}

function optionsOf(schema: Schema): Schema[] {
  const options = schema.anyOf ?? schema.oneOf
  return Array.isArray(options)
    ? options.filter((option): option is Schema => isObject(option) && option.type !== 'null')
    : []
}

/** Reduce `anyOf: [X, null]` to X: it is how schemas write optional fields. */
function withoutNull(schema: Schema, root: Schema): Schema {
  const [only, ...others] = optionsOf(schema)
  if (only && !others.length) return { ...resolveRef(only, root), ...schema, anyOf: null, oneOf: null }
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== 'null')
    if (types.length === 1) return { ...schema, type: types[0] ?? null }
  }
  return schema
}

function fieldFromSchema(
  given: Schema,
  root: Schema,
  name: string,
  isRequired: boolean,
  depth: number,
): Field {
  const schema = withoutNull(resolveRef(given, root), root)
  const common: Common = {
    title: name || text(schema, 'title'),
    description: text(schema, 'description'),
    isRequired,
    initial: schema.default,
  }
  if ('const' in schema) return { ...common, kind: 'choice', choices: [schema.const ?? null] }
  if (Array.isArray(schema.enum)) return { ...common, kind: 'choice', choices: schema.enum }
  const options = optionsOf(schema)
  if (options.length > 1 && depth < MAX_DEPTH) {
    const variants = options.map((option) => ({
      title: text(resolveRef(option, root), 'title') || text(resolveRef(option, root), 'type') || 'JSON',
      field: fieldFromSchema(option, root, '', true, depth + 1),
    }))
    return { ...common, kind: 'variants', variants }
  }
  const type = typeof schema.type === 'string' ? schema.type : isObject(schema.properties) ? 'object' : ''
  const build = depth < MAX_DEPTH ? BUILDERS[type] : undefined
  return build ? build(schema, root, common, depth) : { ...common, kind: 'json' }
}

type Builder = (schema: Schema, root: Schema, common: Common, depth: number) => Field
const BUILDERS: Record<string, Builder> = {
  object: objectOf,
  array: arrayOf,
  integer: (schema, _, common) => numberOf(schema, common, true),
  number: (schema, _, common) => numberOf(schema, common, false),
  boolean: (_, __, common) => ({ ...common, kind: 'boolean' }),
  string: (schema, _, common) => ({
    ...common,
    kind: 'text',
    isLong: (number(schema, 'maxLength') ?? 0) > 200,
    format: text(schema, 'format'),
    pattern: text(schema, 'pattern') || null,
  }),
}

function text(schema: Schema, key: string): string {
  const found = schema[key]
  return typeof found === 'string' ? found : ''
}

function number(schema: Schema, key: string): number | null {
  const found = schema[key]
  return isNumber(found) ? Number(found) : null
}

function numberOf(schema: Schema, common: Common, isWhole: boolean): Field {
  return {
    ...common,
    kind: 'number',
    isWhole,
    min: number(schema, 'minimum'),
    max: number(schema, 'maximum'),
  }
}

function arrayOf(schema: Schema, root: Schema, common: Common, depth: number): Field {
  return isObject(schema.items)
    ? { ...common, kind: 'array', item: fieldFromSchema(schema.items, root, '', true, depth + 1) }
    : { ...common, kind: 'json' }
}

function objectOf(schema: Schema, root: Schema, common: Common, depth: number): Field {
  const required = Array.isArray(schema.required) ? schema.required : []
  const properties = isObject(schema.properties) ? Object.entries(schema.properties) : []
  if (!properties.length && depth) return { ...common, kind: 'json' }
  const fields = properties.map(([name, property]) => ({
    name,
    field: fieldFromSchema(
      isObject(property) ? property : {},
      root,
      name,
      required.includes(name),
      depth + 1,
    ),
  }))
  return { ...common, kind: 'object', fields }
}

/** Return the initial value of a field; undefined is omitted from the event. */
export function initialValue(field: Field): Value {
  if (field.initial !== undefined) return parseExact(JSON.stringify(field.initial))
  if (!field.isRequired) return undefined
  if (field.kind === 'object') {
    return omitUndefined(
      Object.fromEntries(field.fields.map(({ name, field: part }) => [name, initialValue(part)])),
    )
  }
  if (field.kind === 'array') return []
  if (field.kind === 'boolean') return false
  if (field.kind === 'choice' && field.choices.length === 1) return field.choices[0]
  const [first] = field.kind === 'variants' ? field.variants : []
  return first && initialValue(first.field)
}

/** Return true for a field with one possible value, such as the discriminator of variants. */
export function isConstant(field: Field): boolean {
  return field.kind === 'choice' && field.choices.length === 1 && initialValue(field) !== undefined
}

/** Return the index of the variant that a value belongs to, by its type and its constant fields, or -1. */
export function matchingVariant(variants: { field: Field }[], value: Value): number {
  return value === undefined ? -1 : variants.findIndex(({ field }) => matches(field, value))
}

function matches(field: Field, value: Json): boolean {
  if (field.kind === 'object') {
    return (
      isObject(value) &&
      field.fields.every(
        ({ name, field: part }) => !isConstant(part) || equal(value[name], initialValue(part)),
      )
    )
  }
  if (field.kind === 'array') return Array.isArray(value)
  if (field.kind === 'choice') return field.choices.some((choice) => equal(choice, value))
  if (field.kind === 'number') return isNumber(value)
  if (field.kind === 'text') return typeof value === 'string'
  if (field.kind === 'boolean') return typeof value === 'boolean'
  return true
}

export function equal(a: Value, b: Value): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Remove members that are undefined. */
export function omitUndefined(value: Record<string, Value>): Schema {
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, Json] => entry[1] !== undefined),
  )
}

/** Return the paths of required fields without a value. */
export function missingFields(field: Field, value: Value, path = ''): string[] {
  if (value === undefined) return field.isRequired ? [path || field.title] : []
  if (field.kind === 'object' && isObject(value)) {
    return field.fields.flatMap(({ name, field: part }) =>
      missingFields(part, value[name], path ? `${path}.${name}` : name),
    )
  }
  if (field.kind === 'variants') {
    const variant = field.variants[matchingVariant(field.variants, value)]
    return variant ? missingFields(variant.field, value, path) : []
  }
  if (field.kind === 'array' && Array.isArray(value)) {
    return value.flatMap((item, index) => missingFields(field.item, item, `${path}[${index + 1}]`))
  }
  return []
}
