import type { asyncApiDocument } from './asyncapi.ts'
import type { JsonSchema } from './components.ts'
import type { Operation, openApiDocument } from './openapi.ts'

type AsyncApi = ReturnType<typeof asyncApiDocument>
type OpenApi = ReturnType<typeof openApiDocument>

/** Text that is HTML already; everything else is escaped. */
class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}
type Part = Html | string | number | undefined | Part[]

function html(texts: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(texts.map((text, at) => text + written(parts[at])).join(''))
}

function written(part: Part): string {
  if (part === undefined) return ''
  if (Array.isArray(part)) return part.map(written).join('')
  if (part instanceof Html) return part.text
  return String(part).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
}

const style = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --link: light-dark(#0b57d0, #8ab4f8) }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem 1.5rem 4rem }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line) } h3 { margin-top: 2rem } a { color: var(--link) }
code, pre { font: 0.88em/1.45 ui-monospace, monospace; overflow-wrap: anywhere } pre { background: var(--soft); padding: 0.8rem; overflow: auto }
table { border-collapse: collapse; width: 100%; margin: 0.8rem 0 } td, th { text-align: left; vertical-align: top; padding: 0.35rem 0.6rem; border-bottom: 1px solid var(--line) }
td:first-child code, td a code { white-space: nowrap } th { font-weight: 600; font-size: 0.9em } .tag { font-size: 0.8em; background: var(--soft); border-radius: 0.3em; padding: 0.1em 0.5em; font-weight: normal }
.scroll { overflow-x: auto } @media (max-width: 40rem) { td, th { padding: 0.3rem } body { padding: 0.5rem } }`

/** The whole contract as one page: made from the two documents, without scripts, and nothing is fetched. */
export function contractPage(topics: AsyncApi, gateway: OpenApi): string {
  const channels = Object.values(topics.channels)
  const isPublic = ({ tags }: AsyncApi['channels'][string]) => tags[0]?.$ref.endsWith('/public')
  const ordered = [...channels.filter(isPublic), ...channels.filter((channel) => !isPublic(channel))]
  const schemas: Record<string, JsonSchema> = { ...topics.components.schemas, ...gateway.components.schemas }
  const tag = (channel: AsyncApi['channels'][string]) =>
    html`<span class="tag">${isPublic(channel) ? 'public' : 'internal'}</span>`
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Token notification pipeline: contract v1</title>
<style>${new Html(style)}</style>
</head>
<body>
<h1>Token notification pipeline: contract v1</h1>
${paragraphs(topics.info.description)}
<p>The same for machines, beside this file: <code>asyncapi.yaml</code> (topics), <code>openapi.yaml</code> (gateway), <code>schemas/</code> (JSON Schemas).
Times are ISO 8601 in UTC with milliseconds unless a description says otherwise.</p>
<nav><a href="#topics">Topics</a> · <a href="#types">Types</a> · <a href="#gateway">Gateway</a></nav>
<h2 id="topics">Topics</h2>
${table(
  ['Topic', '', 'Partitions', 'Kept', ''],
  ordered.map((channel) => [
    linkTo(channel.address),
    tag(channel),
    channel.bindings.kafka.partitions,
    kept(channel),
    channel.title,
  ]),
)}
${ordered.map(
  (channel) => html`<h3 id="${channel.address}"><code>${channel.address}</code> ${tag(channel)}</h3>
<p>${prose(channel.description)}</p>
${Object.keys(channel.messages).map((name) => message(topics, name))}`,
)}
<h2 id="types">Types</h2>
<p>A member without a mark is optional; what has no value is left out, unless the type says null. Ignore members that you do not know.</p>
${Object.entries(schemas).map(([name, schema]) => type(name, schema, schemas))}
<h2 id="gateway">Gateway</h2>
${paragraphs(gateway.info.description)}
${Object.entries(gateway.paths).map(([path, { post }]) => operation(path, post, gateway))}
</body>
</html>
`.text
}

function message(topics: AsyncApi, name: string): Html {
  const { summary, contentType, headers, payload, bindings } = topics.components.messages[
    name
  ] as AsyncApi['components']['messages'][string]
  const { required, properties } = headers as { required: string[]; properties: Record<string, JsonSchema> }
  const rows = Object.entries(properties).map(([header, schema]) => member(header, schema, required.includes(header)))
  return html`<p>${prose(summary)}</p>
<p><b>Key</b>: ${bindings.kafka.key.description}<br><b>Value</b> (${contentType}): ${typeOf(payload)} ${described(payload)}</p>
${rows.length > 0 ? table(['Header', '', 'Meaning', 'Example'], rows) : html`<p>No headers.</p>`}`
}

function type(name: string, schema: JsonSchema, schemas: Record<string, JsonSchema>): Html {
  const {
    properties = {},
    required = [],
    examples,
  } = schema as { properties?: Record<string, JsonSchema>; required?: string[]; examples?: unknown[] }
  const rows = Object.entries(properties).map(([property, part]) => {
    const referred = typeof part.$ref === 'string' ? schemas[part.$ref.slice(part.$ref.lastIndexOf('/') + 1)] : undefined
    const [first, ...others] = member(property, { ...referred, ...part }, required.includes(property))
    return [first, typeOf(part), ...others]
  })
  return html`<h3 id="${name}">${name}</h3>
<p>${described(schema)}</p>
${rows.length > 0 ? table(['Member', 'Type', '', 'Meaning', 'Example'], rows) : html`<p>${typeOf(schema)}</p>`}
${rows.length > 0 && examples ? html`<pre>${JSON.stringify(examples[0], null, 2)}</pre>` : undefined}`
}

function operation(path: string, post: Operation, { components }: OpenApi): Html {
  const { summary, description, security, parameters, requestBody, responses } = post
  const inputs: Part[][] = parameters.map(({ name, in: place, description, example: shown }) => [
    html`<code>${name}</code>`,
    place,
    description,
    shown === undefined ? undefined : example(shown),
  ])
  for (const { name, in: place, description } of Object.values(security.length > 0 ? components.securitySchemes : {}))
    inputs.push([html`<code>${name}</code>`, place, prose(description), undefined])
  const answerHeaders = Object.entries((responses['200']?.headers ?? {}) as Record<string, { description: string }>)
  const body = requestBody.content['application/json'].schema
  const answers = Object.entries(responses).flatMap(([status, { content, 'x-without-body': withoutBody }]): Part[][] => [
    ...Object.values(content?.['application/json'].examples ?? {}).map(({ summary, value }) => [status, summary, example(value)]),
    ...(withoutBody ? [[status, withoutBody, 'none; the connection is closed']] : []),
  ])
  return html`<h3 id="${path}"><code>POST ${path}</code></h3>
<p>${summary}. ${prose(description)}</p>
${table(['Request', '', 'Meaning', 'Example'], inputs)}
<p><b>Body</b>: ${typeOf(body)}. ${requestBody.description}</p>
${[body.anyOf ?? []].flat().map((style) => html`<p>${described(style as JsonSchema)}</p>`)}
${table(['Answer', 'When', 'Body'], answers)}
${
  answerHeaders.length > 0
    ? table(
        ['Answer header', 'Meaning'],
        answerHeaders.map(([name, header]) => [html`<code>${name}</code>`, header.description]),
      )
    : undefined
}`
}

const member = (name: string, schema: JsonSchema, required: boolean): Part[] => [
  html`<code>${name}</code>`,
  required ? html`<span class="tag">always</span>` : undefined,
  described(schema),
  'const' in schema
    ? example(schema.const)
    : Array.isArray(schema.enum)
      ? joined(schema.enum.map(example), ' · ')
      : exampleOf(schema),
]

const described = ({ description }: JsonSchema) => (typeof description === 'string' ? prose(description) : undefined)
/** Text in which `code` stands between backticks. */
const prose = (text: string) => text.split('`').map((part, at) => (at % 2 === 1 ? html`<code>${part}</code>` : part))
const example = (value: unknown) => html`<code>${typeof value === 'string' ? value : JSON.stringify(value)}</code>`
const exampleOf = ({ examples }: JsonSchema) => (Array.isArray(examples) ? example(examples[0]) : undefined)
const linkTo = (name: string) => html`<a href="#${name}"><code>${name}</code></a>`
const paragraphs = (text: string) => text.split('\n\n').map((part) => html`<p>${prose(part)}</p>`)

/** A type in a few words: the name of another one, the values it may have, or what JSON calls it. */
function typeOf(schema: JsonSchema): Part {
  const { $ref, allOf, anyOf, enum: values, const: value, type, items, pattern, format } = schema
  if (typeof $ref === 'string') return linkTo($ref.slice($ref.lastIndexOf('/') + 1))
  if (value !== undefined) return example(value)
  if (Array.isArray(values)) return joined(values.map(example), ' · ')
  if (Array.isArray(anyOf)) return joined(anyOf.map(typeOf), ' or ')
  if (type === undefined && Array.isArray(allOf)) return joined(allOf.map(typeOf), ' and ')
  if (type === 'array' && typeof items === 'object') return ['list of ', typeOf(items as JsonSchema)]
  if (typeof schema.title === 'string' && type === 'object') return schema.title
  const words = [type].flat().join(' or ') || 'anything'
  if (typeof format === 'string') return `${words} (${format})`
  return typeof pattern === 'string' ? [`${words} `, html`<code>${pattern}</code>`] : words
}

const joined = (parts: Part[], sign: string): Part[] => parts.flatMap((part, at) => (at === 0 ? [part] : [sign, part]))

function table(heads: string[], rows: Part[][]): Html {
  return html`<div class="scroll"><table><thead><tr>${heads.map((head) => html`<th>${head}</th>`)}</tr></thead>
<tbody>${rows.map(
    (cells) => html`<tr>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>
`,
  )}</tbody></table></div>`
}

function kept({ bindings }: AsyncApi['channels'][string]): string {
  const { 'retention.ms': retentionMs, 'cleanup.policy': policy } = bindings.kafka.topicConfiguration
  if (policy?.includes('compact')) return 'the latest of each key'
  return retentionMs === undefined || retentionMs < 0 ? 'for ever' : `${retentionMs / (24 * 60 * 60 * 1000)} days`
}
