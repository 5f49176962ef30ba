/** A broker whose disk is full. */
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import type { OwnedProcess } from '../../../deploy/local/owned-process.ts'
import { quietKafka } from '../../../deploy/local/topics.ts'
import { waitFor } from '../../support/wait-for.ts'

const limitBytes = 1_000_000
const fillerBytes = 250_000

/**
 * Fills the disk of one node until it fails, and waits for its end: a broker without a log folder leaves (exit code 1). `startNode` brings
 * it back with room on its disk. No small file system needs to be mounted: `prlimit` (util-linux, Linux) forbids the process to write
 * beyond 1 MB of any file, and a topic of the node's own is filled up to there. To the broker that is what a full disk is, an
 * IOException at a write to its log folder, with the words "File too large" in place of "No space left on device".
 */
export async function fillDisk({ brokers, node, id }: { brokers: string; node: OwnedProcess; id: number }): Promise<void> {
  if (statSync(node.logFile).size > limitBytes / 2)
    throw new Error(`${node.logFile} is so long that the broker could not say why it ends: start the node again first.`)
  const topic = `disk-filler-${id}-${Date.now()}`
  const kafka = quietKafka(brokers, { retry: { retries: 0 } })
  const admin = kafka.admin()
  const producer = kafka.producer()
  try {
    await admin.connect()
    const configEntries = [{ name: 'min.insync.replicas', value: '1' }]
    await admin.createTopics({ topics: [{ topic, replicaAssignment: [{ partition: 0, replicas: [id] }], configEntries }] })
    limitFiles(node)
    await producer.connect()
    await waitFor(
      `node ${id} to fail at its full disk`,
      async () => {
        if (node.exit()) return true
        await producer.send({ topic, messages: [{ partition: 0, value: Buffer.alloc(fillerBytes) }] })
        return false
      },
      { timeoutMs: 60_000 },
    )
    if (!/IOException: (File too large|No space left on device)/.test(node.output()))
      throw new Error(`Node ${id} ended, and not because of its disk (log: ${node.logFile}).`)
  } finally {
    await producer.disconnect()
    await admin.disconnect()
  }
}

function limitFiles({ pid }: OwnedProcess): void {
  const { error, status, stderr } = spawnSync('prlimit', ['--pid', String(pid), `--fsize=${limitBytes}`], { encoding: 'utf8' })
  if (error || status !== 0)
    throw new Error(`A full disk cannot be played here: prlimit (util-linux) is missing or refused. ${error?.message ?? stderr}`)
}
