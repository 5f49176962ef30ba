import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { readSchemas } from './generate-types.ts'

/** The schema with every object closed: readers ignore members they do not know, but we write none that is not described. */
export function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const parts = Object.fromEntries(Object.entries(schema).map(([name, part]) => [name, closed(part)]))
  return 'properties' in schema && 'title' in schema ? { ...parts, additionalProperties: false } : parts
}

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true })
formats.default(ajv)
ajv.addSchema(readSchemas().map((schema) => closed(schema) as object))

/** What is wrong with something that we wrote, by a schema's `$id`: nothing, if it is exactly what the schema describes. */
export function strictMistakes(id: string, value: unknown): string[] {
  const validate = ajv.getSchema(id) as ValidateFunction
  if (validate(value)) return []
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  )
}
