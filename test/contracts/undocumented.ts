import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { asyncApiDocument } from './asyncapi.ts'
import { closed } from './strict.ts'

type WrittenRecord = { topic: string; headers: Record<string, string>; value: Buffer | string | null }

const document = asyncApiDocument()
const ajv = new Ajv2020({ allErrors: true, strict: false })
formats.default(ajv)
const validators = new Map<string, ValidateFunction>()

/**
 * What is wrong with a record by the AsyncAPI document: nothing, if its topic, each of its headers and each member of its value are described
 * there. Strictly, since readers ignore what they do not know, but we write nothing that is not described.
 */
export function undocumented({ topic, headers, value }: WrittenRecord, topicPrefix = ''): string[] {
  const channel = document.channels[topic.slice(topicPrefix.length)]
  if (channel === undefined) return [`${topic} is not described`]
  const mistakes = Object.keys(channel.messages).map((name) => mistakesBy(name, headers, value))
  return mistakes.find((found) => found.length === 0) ?? mistakes[0] ?? [`${topic} has no messages`]
}

function mistakesBy(name: string, headers: Record<string, string>, value: Buffer | string | null): string[] {
  const message = document.components.messages[name]
  if (message === undefined) return [`message ${name} is not described`]
  const validate = validators.get(name) ?? compile(message)
  validators.set(name, validate)
  const text = value === null ? null : String(value)
  const payload: unknown = text !== null && message.contentType === 'application/json' ? JSON.parse(text) : text
  if (validate({ headers, payload })) return []
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  )
}

function compile({ name, headers, payload }: (typeof document.components.messages)[string]): ValidateFunction {
  // Dead letters keep the headers of the record, whatever they are.
  const closedHeaders = name.startsWith('DeadLetter') ? headers : { ...headers, additionalProperties: false }
  const schemas = closed(document.components.schemas) as object
  return ajv.compile({
    properties: { headers: closedHeaders, payload: closed(payload) },
    components: { schemas },
  })
}
