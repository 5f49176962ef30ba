import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { compile } from 'json-schema-to-typescript'

const schemasFolder = new URL('../../shared/contracts/schemas/', import.meta.url)
const typesFile = new URL('../../shared/contracts/types.ts', import.meta.url)

export type Schema = {
  $id: string
  title: string
  $defs?: Record<string, { title?: string; description?: string; examples?: unknown }>
  [keyword: string]: unknown
}

/** Every schema file, in the order of the file names. */
export function readSchemas(): Schema[] {
  const files = readdirSync(schemasFolder).filter((name) => name.endsWith('.schema.json'))
  return files.sort().map((name) => JSON.parse(readFileSync(new URL(name, schemasFolder), 'utf8')) as Schema)
}

const banner = '/** Generated from shared/contracts/schemas by `npm run generate`: change the schemas, not this file. */'
const options = { bannerComment: '', additionalProperties: false, ignoreMinAndMaxItems: true, format: false }

/** types.ts: one text for all schemas. A type is what has a title: named by it and written once, wherever it is referred to. */
export async function generateTypes(): Promise<string> {
  const schemas = readSchemas()
  const titles = new Map<string, string>()
  const types = new Map<string, { schema: unknown; base: string }>()
  for (const { $defs = {}, ...root } of schemas) {
    titles.set(root.$id, root.title)
    for (const [name, definition] of Object.entries($defs)) {
      if (definition.title === undefined) continue
      titles.set(`${root.$id}#/$defs/${name}`, definition.title)
      types.set(definition.title, { schema: definition, base: root.$id })
    }
    types.set(root.title, { schema: root, base: root.$id })
  }
  const texts = [banner]
  for (const [title, { schema, base }] of types) texts.push(await compile(byName(schema, base, titles) as object, title, options))
  const biome = fileURLToPath(new URL('../../node_modules/.bin/biome', import.meta.url))
  const formatted = ['format', '--stdin-file-path', fileURLToPath(typesFile)]
  return execFileSync(biome, formatted, { input: texts.join('\n\n'), encoding: 'utf8' })
}

/**
 * The schema with each `$ref` as `tsType`, the generator's word for a type that exists: following a `$ref` itself, it would write a
 * copy for every use (`Text1`, `Text2`, …). Conditions (`allOf`) have no type, and the examples would be noise in it.
 */
function byName(part: unknown, base: string, titles: Map<string, string>): unknown {
  if (Array.isArray(part)) return part.map((member) => byName(member, base, titles))
  if (typeof part !== 'object' || part === null) return part
  const { $ref, $id, allOf, examples, ...rest } = part as Record<string, unknown>
  if (typeof $ref === 'string') return { ...rest, tsType: titles.get($ref.startsWith('#') ? base + $ref : $ref) }
  return Object.fromEntries(Object.entries(rest).map(([name, member]) => [name, byName(member, base, titles)]))
}
