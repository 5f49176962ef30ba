/** Apache Kafka on this machine: KRaft, every node broker and controller, on loopback only. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { brokerList, type KafkaNode, kafkaConfig } from './kafka-config.ts'
import { javaVersion, kafkaClassPath } from './kafka-jars.ts'
import { explainDeath, type OwnedProcess, startOwned, untilReady } from './owned-process.ts'
import { quietKafka } from './topics.ts'

export type LocalKafka = {
  brokers: string
  /** The process of each node, by its id; of one that was started again, the new one. */
  nodes: ReadonlyMap<number, OwnedProcess>
  /** Starts a node again that has ended, on its data, and waits until it serves. Its log is a new file. */
  startNode: (id: number) => Promise<OwnedProcess>
  stop: () => Promise<void>
}

type Options = {
  /** Jars and class archive, shared by all stacks of this clone. */
  programDir: string
  dataDir: string
  logDir: string
  nodes: KafkaNode[]
  jvm?: Jvm
  log: (line: string) => void
}

export type Jvm = 'laptop' | 'server'

/** One core compiles little and collects serially: quick to start, small, and fast enough for a laptop. For figures, as a server runs it. */
const flagsOf: Record<Jvm, string[]> = {
  laptop: ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
  server: ['-Xms1g', '-Xmx1g', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-XX:InitiatingHeapOccupancyPercent=35'],
}
const jvmFlags = [
  ...['-XX:+ExitOnOutOfMemoryError', '-Xshare:auto', '-Djava.awt.headless=true'],
  `-Dlog4j2.configurationFile=${join(import.meta.dirname, 'log4j2.properties')}`,
]
const startTimeoutMs = 60_000
/** The first run writes the class archive when it stops, which takes three seconds more. */
const stopGraceMs = 20_000

/** Starts the nodes and waits until they really serve: groups and transactions too. Throws one clear sentence. */
export async function startKafka({ programDir, dataDir, logDir, nodes, jvm = 'laptop', log }: Options): Promise<LocalKafka> {
  const archive = join(programDir, `classes-${javaVersion()}.jsa`)
  const classPath = await kafkaClassPath(programDir, log)
  mkdirSync(dataDir, { recursive: true })
  const clusterId = keepClusterId(join(dataDir, 'cluster-id'))
  const running = new Map<number, OwnedProcess>()
  let restarts = 0
  const launch = async (node: KafkaNode, again = ''): Promise<OwnedProcess> => {
    const name = nodes.length > 1 ? `Kafka node ${node.id}` : 'Kafka'
    const logFile = join(logDir, `${nodes.length > 1 ? `kafka-${node.id}` : 'kafka'}${again}.log`)
    const config = join(dataDir, `node-${node.id}.properties`)
    const nodeData = join(dataDir, `node-${node.id}`)
    writeFileSync(config, kafkaConfig(node, nodes, nodeData))
    const java = (flags: string[], main: string[]) =>
      startOwned({ name, command: 'java', args: [...flagsOf[jvm], ...jvmFlags, ...flags, '-cp', classPath, ...main], logFile })
    const cached = jvm === 'laptop' && existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`] : []
    if (!existsSync(join(nodeData, 'meta.properties'))) {
      rmSync(nodeData, { recursive: true, force: true })
      const format = await java(cached, ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', config])
      const { code } = await format.exited
      if (code !== 0) throw new Error(explainDeath(format, 'could not format its data folder'))
    }
    const makeArchive = jvm === 'laptop' && cached.length === 0 && node.id === 1
    const archiving = `${archive}.${process.pid}.tmp`
    const kafka = await java(makeArchive ? [`-XX:ArchiveClassesAtExit=${archiving}`] : cached, ['kafka.Kafka', config])
    if (makeArchive) void kafka.exited.then(({ signal }) => keepArchive(archiving, archive, signal === null))
    running.set(node.id, kafka)
    return kafka
  }
  const startNode = async (id: number) => {
    const node = nodes.find((node) => node.id === id)
    if (!node) throw new Error(`Kafka has no node ${id}: its nodes are ${nodes.map((node) => node.id).join(', ')}.`)
    if (running.get(id)?.exit() === undefined) throw new Error(`Kafka node ${id} still runs: stop it before it is started again.`)
    const kafka = await launch(node, `-restart-${++restarts}`)
    await untilServing(kafka)
    return kafka
  }

  const stop = async () => {
    await Promise.all([...running.values()].map((node) => node.stop(stopGraceMs)))
  }
  try {
    await Promise.all(nodes.map((node) => launch(node)))
    for (const node of running.values()) await untilServing(node)
    const brokers = brokerList(nodes)
    await warmUp(brokers, nodes.length)
    return { brokers, nodes: running, startNode, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Its last word at the start comes once the controller lets clients in, so for a killed node after the end of its old session. */
const untilServing = (node: OwnedProcess) =>
  untilReady(node, () => node.output().includes('Kafka Server started'), {
    timeoutMs: startTimeoutMs,
    explain: (why) => explainDeath(node, why),
  })

/** All nodes of a cluster are formatted with the same id. A leading dash would look like an option. */
function keepClusterId(file: string): string {
  if (existsSync(file)) return readFileSync(file, 'utf8').trim()
  const id = `k${randomBytes(16).toString('base64url').slice(1)}`
  writeFileSync(file, id)
  return id
}

/** A complete archive appears in one step; what a killed JVM left is dropped. */
function keepArchive(made: string, archive: string, complete: boolean): void {
  if (complete && existsSync(made)) renameSync(made, archive)
  else rmSync(made, { force: true })
}

/**
 * The first group and the first transaction make Kafka's internal topics, and after a restart their coordinators load for a moment:
 * clients that come meanwhile are sent away. Each try is a new client, because kafkajs keeps asking a coordinator that it once found.
 */
async function warmUp(brokers: string, nodes: number): Promise<void> {
  const deadline = Date.now() + startTimeoutMs
  for (;;) {
    try {
      await tryEverything(brokers, nodes)
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(50)
    }
  }
}

async function tryEverything(brokers: string, nodes: number): Promise<void> {
  const kafka = quietKafka(brokers, { retry: { retries: 0 } })
  const admin = kafka.admin()
  const producer = kafka.producer({ transactionalId: 'stack.warm-up' })
  try {
    await admin.connect()
    const { brokers: found } = await admin.describeCluster()
    if (found.length < nodes) throw new Error(`Only ${found.length} of ${nodes} Kafka nodes have joined`)
    await admin.fetchOffsets({ groupId: 'stack.warm-up' })
    await producer.connect()
  } finally {
    await producer.disconnect()
    await admin.disconnect()
  }
}
