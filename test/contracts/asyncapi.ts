import packageJson from '../../package.json' with { type: 'json' }
import { defaultCounts, groupId, stageNames, topicNames, topicSettings } from '../../shared/contracts/topics.ts'
import { schemasUsedIn } from './components.ts'
import { type Channel, channels, type Message } from './topic-descriptions.ts'

const bindingVersion = '0.5.0'

/** AsyncAPI 3 of every topic: names and settings from `topics.ts`, values from the JSON Schemas, headers from `headers.ts`. */
export function asyncApiDocument() {
  const settings = topicSettings(topicNames(), defaultCounts.partitions)
  const described = settings.map((topic) => ({ ...topic, ...describe(topic.topic) }))
  const messages = Object.fromEntries(
    described.flatMap(({ key, messages }) => messages.map((message) => [message.name, messageOf(message, key)])),
  )
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Token notification pipeline: topics',
      version: '1.0.0',
      description: [
        'Authorization notifications of Alipay+ and BluePay / PayCools as token events on Kafka.',
        'Within v1 only optional members, headers and topics are added: ignore what you do not know.',
        'TOPIC_PREFIX, if it is set, stands before every name here. Partition and replica counts are those of `operator topics apply` without options.',
        'Operations are seen from the pipeline: to subscribe, receive what it sends.',
      ].join('\n\n'),
      license: { name: packageJson.license },
    },
    defaultContentType: 'application/json',
    servers: {
      kafka: {
        host: '{brokers}',
        protocol: 'kafka-secure',
        description: 'KAFKA_BROKERS, with KAFKA_TLS and KAFKA_USERNAME.',
        variables: { brokers: { description: 'Bootstrap servers.', default: 'localhost:9092' } },
        security: [{ $ref: '#/components/securitySchemes/scram' }],
      },
    },
    channels: Object.fromEntries(described.map((topic) => [topic.topic, channelOf(topic)])),
    operations: Object.fromEntries(described.flatMap(operationsOf)),
    components: {
      securitySchemes: { scram: { type: 'scramSha512', description: 'SASL/SCRAM-SHA-512 over TLS.' } },
      messages,
      schemas: schemasUsedIn(messages),
      tags: {
        public: { name: 'public', description: 'To subscribe to: within v1 it only grows.' },
        internal: { name: 'internal', description: 'Between the services of the pipeline: no promise to others.' },
      },
    },
  }
}

type Described = ReturnType<typeof topicSettings>[number] & Channel

function describe(topic: string): Channel {
  const channel = channels[topic]
  if (channel === undefined) throw new Error(`Topic ${topic} of topics.ts is not described in topic-descriptions.ts`)
  return channel
}

function channelOf({ topic, partitions, config, title, description, audience, messages }: Described) {
  const { 'cleanup.policy': policy, 'retention.ms': retentionMs, 'retention.bytes': retentionBytes, ...others } = config
  return {
    address: topic,
    title,
    description,
    tags: [{ $ref: `#/components/tags/${audience}` }],
    messages: Object.fromEntries(messages.map(({ name }) => [name, { $ref: `#/components/messages/${name}` }])),
    bindings: {
      kafka: {
        topic,
        partitions,
        replicas: defaultCounts.replication,
        topicConfiguration: {
          ...(policy && { 'cleanup.policy': policy.split(',') }),
          ...(retentionMs && { 'retention.ms': Number(retentionMs) }),
          ...(retentionBytes && { 'retention.bytes': Number(retentionBytes) }),
        },
        bindingVersion,
      },
    },
    // The binding has no words for these.
    'x-topic-configuration': others,
  }
}

function messageOf({ name, summary, contentType, headers, payload, nothing }: Message, key: string) {
  return {
    name,
    title: name,
    summary,
    contentType,
    headers,
    payload: nothing === undefined ? payload : { description: `No value: ${nothing}`, anyOf: [payload, { type: 'null' }] },
    bindings: { kafka: { key: { type: 'string', description: key }, bindingVersion } },
  }
}

function operationsOf({ topic, title, messages, sends, receives }: Described) {
  const operation = (service: string, action: 'send' | 'receive') => {
    const stage = stageNames.find((name) => name === service)
    const bindings =
      action === 'receive' && stage
        ? { kafka: { groupId: { type: 'string', const: groupId(stage) }, bindingVersion } }
        : undefined
    return [
      `${service}.${action}.${topic}`,
      {
        action,
        channel: { $ref: `#/channels/${topic}` },
        summary: `${service} ${action}s: ${title}`,
        messages: messages.map(({ name }) => ({ $ref: `#/channels/${topic}/messages/${name}` })),
        ...(bindings && { bindings }),
      },
    ]
  }
  return [...sends.map((service) => operation(service, 'send')), ...receives.map((service) => operation(service, 'receive'))]
}
