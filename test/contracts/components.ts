import { isDeepStrictEqual } from 'node:util'
import { readSchemas } from './generate-types.ts'

export type JsonSchema = { [keyword: string]: unknown }

/** The types that a document refers to, and those that they refer to. */
export function schemasUsedIn(document: unknown): Record<string, JsonSchema> {
  const all = componentSchemas()
  const used = new Set<string>()
  const visit = (part: unknown) => {
    for (const [, name = ''] of JSON.stringify(part).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name) || !(name in all)) continue
      used.add(name)
      visit(all[name])
    }
  }
  visit(document)
  return Object.fromEntries(Object.entries(all).filter(([name]) => used.has(name)))
}

/**
 * Every type of the JSON Schemas, by its title, for a document with nothing outside it: each `$ref` points to `#/components/schemas/…`. What
 * stands beside a `$ref` is moved around it, since AsyncAPI's dialect (draft 07) and many OpenAPI tools ignore it there.
 */
function componentSchemas(): Record<string, JsonSchema> {
  const schemas = readSchemas()
  const names = new Map<string, string>()
  for (const { $id, title, $defs = {} } of schemas) {
    names.set($id, title)
    for (const [name, definition] of Object.entries($defs)) names.set(`${$id}#/$defs/${name}`, definition.title ?? name)
  }
  const components: Record<string, JsonSchema> = {}
  const add = (name: string, schema: JsonSchema) => {
    if (name in components && !isDeepStrictEqual(components[name], schema))
      throw new Error(`Two different types are called ${name}`)
    components[name] = schema
  }
  for (const { $schema, $id, $defs = {}, ...root } of schemas) {
    add(root.title, inDocument(root, $id, names) as JsonSchema)
    for (const [name, definition] of Object.entries($defs))
      add(definition.title ?? name, inDocument(definition, $id, names) as JsonSchema)
  }
  return components
}

export const componentRef = (name: string) => ({ $ref: `#/components/schemas/${name}` })

function inDocument(part: unknown, base: string, names: Map<string, string>): unknown {
  if (Array.isArray(part)) return part.map((member) => inDocument(member, base, names))
  if (typeof part !== 'object' || part === null) return part
  const { $ref, ...rest } = part as JsonSchema
  const members = Object.fromEntries(Object.entries(rest).map(([name, member]) => [name, inDocument(member, base, names)]))
  if (typeof $ref !== 'string') return members
  const name = names.get($ref.startsWith('#') ? base + $ref : $ref)
  if (name === undefined) throw new Error(`${base} refers to ${$ref}, which no schema file defines`)
  return Object.keys(members).length === 0 ? componentRef(name) : { ...members, allOf: [componentRef(name)] }
}
