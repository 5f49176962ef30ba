/**
 * One node of the laptop's Kafka: its number from 1, and its ports on 127.0.0.1. Behind a proxy it has a second listener, which sends
 * clients to the proxy's port: who asks there where the brokers are is told the proxies of all of them.
 */
export type KafkaNode = { id: number; port: number; controllerPort: number; proxied?: { port: number; proxyPort: number } }

const host = '127.0.0.1'

export const brokerList = (nodes: { port: number }[]) => nodes.map(({ port }) => `${host}:${port}`).join(',')

/** The server.properties of one node of a cluster where every node is broker and controller. Pure. */
export function kafkaConfig(node: KafkaNode, nodes: KafkaNode[], dataDir: string): string {
  const replication = Math.min(3, nodes.length)
  const minInSync = Math.max(1, replication - 1)
  const settings: Record<string, string | number> = {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': nodes.map(({ id, controllerPort }) => `${id}@${host}:${controllerPort}`).join(','),
    ...listeners(node),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': dataDir,
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replication,
    'min.insync.replicas': minInSync,
    'offsets.topic.replication.factor': replication,
    'transaction.state.log.replication.factor': replication,
    'transaction.state.log.min.isr': minInSync,
    'share.coordinator.state.topic.replication.factor': replication,
    'share.coordinator.state.topic.min.isr': minInSync,
    ...quickFirstUse,
    ...quickFailover,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

function listeners({ port, controllerPort, proxied }: KafkaNode): Record<string, string> {
  const second = (at: number) => `,PROXIED://${host}:${at}`
  return {
    listeners: `PLAINTEXT://${host}:${port},CONTROLLER://${host}:${controllerPort}${proxied ? second(proxied.port) : ''}`,
    'advertised.listeners': `PLAINTEXT://${host}:${port}${proxied ? second(proxied.proxyPort) : ''}`,
    'listener.security.protocol.map': `CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT${proxied ? ',PROXIED:PLAINTEXT' : ''}`,
  }
}

/** 50-partition internal topics, a 3 s wait for group members, a 10 s look at timed-out transactions and large buffers are the defaults. */
const quickFirstUse = {
  'offsets.topic.num.partitions': 3,
  'transaction.state.log.num.partitions': 3,
  'group.initial.rebalance.delay.ms': 0,
  'group.min.session.timeout.ms': 1_000,
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': 1_000,
  'log.cleaner.dedupe.buffer.size': 4_194_304,
  'log.cleaner.backoff.ms': 1_000,
  'log.index.size.max.bytes': 1_048_576,
  'num.network.threads': 2,
  'num.io.threads': 4,
}

/** A killed broker's leaders move, and the broker itself may come back, only after its session has ended (9 s by default). */
const quickFailover = {
  'broker.session.timeout.ms': 3_000,
  'broker.heartbeat.interval.ms': 500,
  'replica.lag.time.max.ms': 10_000,
}
