/** The published documents: made from the code and the schemas, and good AsyncAPI, OpenAPI and HTML. */
import { existsSync, readFileSync } from 'node:fs'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { header } from '../../shared/contracts/headers.ts'
import { topicNames } from '../../shared/contracts/topics.ts'
import { asyncApiDocument } from './asyncapi.ts'
import { generatedFiles } from './generate.ts'
import { openApiDocument } from './openapi.ts'
import { undocumented } from './undocumented.ts'

const contracts = new URL('../../shared/contracts/', import.meta.url)
const published = (name: string) => readFileSync(new URL(name, contracts), 'utf8')

t.test('every generated file is what the code and the schemas make', async (t) => {
  for (const { file, text } of generatedFiles)
    t.ok(
      existsSync(file) && readFileSync(file, 'utf8') === (await text()),
      `${file.pathname.split('/').at(-1)} (if not: run \`npm run generate\`)`,
    )
})

/** Every mistake that the linter finds, with its place. */
async function lint(source: string): Promise<string[]> {
  const config = await createConfig({
    extends: ['recommended-strict'],
    rules: {
      // All rights reserved: there is no page to link to.
      'info-license-strict': 'off',
      // The schemas of notifications have conditions, which the stricter setting does not understand.
      'no-invalid-schema-examples': { severity: 'error', allowAdditionalProperties: true },
    },
  })
  const problems = await lintFromString({ source, absoluteRef: '/document.yaml', config })
  return problems.map(({ ruleId, message, location }) => `${location[0]?.pointer}: ${message} (${ruleId})`)
}

t.test('both documents are clean to a linter that finds mistakes in them', async (t) => {
  t.strictSame(await lint(published('asyncapi.yaml')), [])
  t.strictSame(await lint(published('openapi.yaml')), [])

  const topics = parse(published('asyncapi.yaml')) as ReturnType<typeof asyncApiDocument>
  topics.channels['token-events.v1']!.messages.TokenEventRecord!.$ref = '#/components/messages/Gone'
  t.match(await lint(stringify(topics)), [/TokenEventRecord: Can't resolve/])
  const gateway = parse(published('openapi.yaml')) as ReturnType<typeof openApiDocument>
  const wrong = { content: { 'application/json': { schema: { type: 'string' }, example: 1 } } }
  for (const { post } of Object.values(gateway.paths)) Object.assign(post.responses['200'] ?? {}, wrong)
  t.match(await lint(stringify(gateway)), [/must be string/, /must be string/])
})

t.test('every topic and every header is described, and what is not is found', async (t) => {
  const { channels, components } = asyncApiDocument()
  const names = Object.values(topicNames()).flatMap((name) => (typeof name === 'string' ? [name] : Object.values(name)))
  t.strictSame(Object.keys(channels).sort(), names.sort())
  const described = Object.values(components.messages).flatMap(({ headers }) => Object.keys(headers.properties as object))
  t.strictSame([...new Set(described)].sort(), Object.values(header).sort())

  const value = '{"merchantId":"M-1","subscriptions":[]}'
  t.strictSame(undocumented({ topic: 'merchants.v1', headers: {}, value }), [])
  t.strictSame(undocumented({ topic: 'merchants.v1', headers: {}, value: null }), [])
  t.match(undocumented({ topic: 'merchants.v1', headers: { more: 'x' }, value }), [/"additionalProperty":"more"/])
  t.not(undocumented({ topic: 'merchants.v1', headers: {}, value: '{"merchantId":"M-1","subscriptions":[],"more":1}' }).length, 0)
  t.strictSame(undocumented({ topic: 'other.v1', headers: {}, value }), ['other.v1 is not described'])
})

t.test('the page stands alone: no script, nothing fetched, and every link leads somewhere in it', async (t) => {
  const page = published('contract.html')
  t.notMatch(page, /<(script|link|img|iframe|object|embed|form|base|meta http)/i)
  t.notMatch(page, /\b(src|srcset|action|style)=|url\(|@import|\son[a-z]+=/i)
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
  t.equal(new Set(ids).size, ids.length, 'each place has a name of its own')
  const links = [...page.matchAll(/<a href="([^"]*)"/g)].map(([, href]) => href as string)
  t.ok(links.length > 30)
  t.strictSame(
    links.filter((href) => !ids.includes(href.slice(1)) || !href.startsWith('#')),
    [],
  )
  for (const topic of Object.keys(asyncApiDocument().channels)) t.ok(ids.includes(topic), topic)
  for (const path of Object.keys(openApiDocument().paths)) t.ok(ids.includes(path), path)
})
