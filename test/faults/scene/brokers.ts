/** The three Kafka nodes as faults see them: who leads what, killing one and having it back in sync. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { LocalKafka } from '../../../deploy/local/kafka.ts'
import { projectRoot } from '../../../deploy/local/start-stack.ts'
import type { Admin, Kafka } from '../../../shared/kafka/client.ts'
import { waitFor } from '../../support/wait-for.ts'
import { fillDisk } from '../world/full-disk.ts'

export type Brokers = Awaited<ReturnType<typeof openBrokers>>

const internalPartitions = 3
const inSyncTimeoutMs = 120_000

/** `kafka` goes to the nodes directly, past the proxies. */
export async function openBrokers(cluster: LocalKafka, kafka: Kafka, topics: string[]) {
  const admin = kafka.admin()
  await admin.connect()
  const leaderOf = (topic: string, partition: number) =>
    waitFor(`a leader of ${topic}/${partition}`, async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      const leader = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition)?.leader ?? -1
      return leader > 0 && cluster.nodes.get(leader)?.exit() === undefined && leader
    })
  const nodeOf = (id: number) => {
    const node = cluster.nodes.get(id)
    if (!node) throw new Error(`No node ${id}`)
    return node
  }
  return {
    admin,
    ids: [...cluster.nodes.keys()],
    leaderOf,
    /** Kafka puts a group, and a transactional id, on the internal partition that Java's hash of its name says. */
    groupCoordinator: (group: string) => leaderOf('__consumer_offsets', internalPartitionOf(group)),
    transactionCoordinator: (id: string) => leaderOf('__transaction_state', internalPartitionOf(id)),
    controller: () => activeController(cluster.brokers),
    async kill(id: number): Promise<void> {
      nodeOf(id).kill('SIGKILL')
      await nodeOf(id).exited
    },
    /** SIGTERM, and waits for the end. */
    async stop(id: number): Promise<void> {
      await nodeOf(id).stop(30_000)
    },
    pause: (id: number) => nodeOf(id).kill('SIGSTOP'),
    resume: (id: number) => nodeOf(id).kill('SIGCONT'),
    async start(id: number): Promise<void> {
      await cluster.startNode(id)
    },
    /** Running again, whatever was done to it. */
    async ensure(id: number): Promise<void> {
      nodeOf(id).kill('SIGCONT')
      if (nodeOf(id).exit()) await cluster.startNode(id)
    },
    /** Until it has ended for want of space. */
    fillDisk: (id: number) => fillDisk({ brokers: cluster.brokers, node: nodeOf(id), id }),
    untilInSync: () => untilInSync(admin, topics),
    close: () => admin.disconnect(),
  }
}

/** Every replica of every topic in sync: only then may the next broker go. */
async function untilInSync(admin: Admin, topics: string[]): Promise<void> {
  const all = [...topics, '__consumer_offsets', '__transaction_state']
  await waitFor(
    'all replicas to be in sync',
    async () => {
      const metadata = await admin.fetchTopicMetadata({ topics: all })
      return metadata.topics.every(({ partitions }) => partitions.every(({ isr, replicas }) => isr.length === replicas.length))
    },
    { timeoutMs: inSyncTimeoutMs },
  )
}

/** `Utils.abs(name.hashCode()) % partitions`, as the brokers have it. */
export function internalPartitionOf(name: string): number {
  let hash = 0
  for (const unit of name) hash = (Math.imul(31, hash) + unit.charCodeAt(0)) | 0
  return (hash & 0x7fffffff) % internalPartitions
}

/** Clients cannot ask for it: in KRaft mode metadata names any broker. So Kafka's own tool does. */
async function activeController(brokers: string): Promise<number> {
  const classPath = join(projectRoot, '.local/kafka/libs/*')
  const tool = ['org.apache.kafka.tools.MetadataQuorumCommand', '--bootstrap-server', brokers, 'describe', '--status']
  const { stdout } = await promisify(execFile)('java', ['-Xmx128m', '-XX:TieredStopAtLevel=1', '-cp', classPath, ...tool])
  const leader = /^LeaderId:\s+(\d+)/m.exec(stdout)?.[1]
  if (!leader) throw new Error(`Kafka's tool names no controller: ${stdout}`)
  return Number(leader)
}
