import { type Admin, kafkajs } from './kafkajs.ts'

export const topicResource = kafkajs.ConfigResourceTypes.TOPIC

/** Configuration set on a topic itself, as against broker defaults (`DescribeConfigs`, config source). */
const setOnTopic = 1

type Config = { configName: string; configValue: string; configSource?: number }[]
export const byName = (entries: Config) =>
  Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]))
export const entriesOf = (config: Record<string, string>) => Object.entries(config).map(([name, value]) => ({ name, value }))

export async function readConfigs(admin: Admin, topics: string[]) {
  const resources = topics.map((name) => ({ type: topicResource, name }))
  const described = await admin.describeConfigs({ resources, includeSynonyms: false })
  return new Map(described.resources.map(({ resourceName, configEntries }) => [resourceName, configEntries]))
}

/** What was set on the topics themselves. */
export async function ownConfig(admin: Admin, topics: string[]): Promise<Map<string, Record<string, string>>> {
  const configs = await readConfigs(admin, topics)
  const own = (entries: Config) => entries.filter(({ configSource }) => Number(configSource) === setOnTopic)
  return new Map([...configs].map(([topic, entries]) => [topic, byName(own(entries))]))
}
