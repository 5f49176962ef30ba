/** What only a real broker can show of the fault world: one node of the test's own, behind the proxy. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePort } from '../../../deploy/local/free-ports.ts'
import { startKafka } from '../../../deploy/local/kafka.ts'
import type { OwnedProcess } from '../../../deploy/local/owned-process.ts'
import { projectRoot } from '../../../deploy/local/start-stack.ts'
import { quietKafka } from '../../../deploy/local/topics.ts'
import { openTransactions } from '../../../shared/stage/transaction.ts'
import { waitFor } from '../../support/wait-for.ts'
import { fillDisk } from './full-disk.ts'
import { createKafkaProxy } from './kafka-proxy.ts'

async function startWorld(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'fault-world-'))
  const proxied = { port: await freePort(), proxyPort: await freePort() }
  const nodes = [{ id: 1, port: await freePort(), controllerPort: await freePort(), proxied }]
  const proxy = await createKafkaProxy(nodes)
  const programDir = join(projectRoot, '.local/kafka')
  const kafka = await startKafka({ programDir, dataDir: join(folder, 'data'), logDir: folder, nodes, log: () => {} })
  t.teardown(async () => {
    await kafka.stop()
    await proxy.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  return { kafka, proxy }
}

t.test('one broker behind the proxy', async (t) => {
  const { kafka, proxy } = await startWorld(t)
  const direct = quietKafka(kafka.brokers)
  const behind = quietKafka(proxy.brokers, { clientId: 'normalizer' })
  const admin = direct.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: 'in' }, { topic: 'out' }] })
  const committed = async () => Number((await admin.fetchOffsets({ groupId: 'group', topics: ['in'] }))[0]?.partitions[0]?.offset)
  const open = () => openTransactions(behind, 'group', 'normalizer.0')
  const output = (n: number) => [
    { topic: 'out', partition: 0, key: null, value: Buffer.from(`${n}`), headers: {}, timestamp: '1000' },
  ]

  await t.test('clients stay behind it, by their name', async (t) => {
    const owner = await open()
    t.ok(proxy.connections({ clientId: 'normalizer', broker: 1 }).length > 0)
    await owner.commit(output(1), [{ topic: 'in', partition: 0, offset: 1 }])
    await owner.close()
    // The marker is written after the answer.
    await waitFor('the offset to be committed', async () => (await committed()) === 1)
  })

  await t.test('a commit that is late arrives after its owner was replaced, and is fenced', async (t) => {
    const owner = await open()
    const held = proxy.holdEndTxn({ clientId: 'normalizer', where: (endTxn) => endTxn.committed })
    const commit = owner.commit(output(2), [{ topic: 'in', partition: 0, offset: 2 }]).catch((error: unknown) => error)
    const { transactionalId } = await held.caught
    t.equal(transactionalId, 'normalizer.0')
    proxy.reset({ clientId: 'normalizer' })
    t.ok((await commit) instanceof Error, 'its owner knows nothing of the outcome')
    const successor = await open()
    held.release()
    t.equal(await held.errorCode, 47, 'INVALID_PRODUCER_EPOCH')
    t.equal(await committed(), 1)
    await successor.commit(output(3), [{ topic: 'in', partition: 0, offset: 3 }])
    await waitFor('the offset to be committed', async () => (await committed()) === 3)
    await Promise.all([owner.close(), successor.close()])
  })

  await t.test('one that is late and meets no successor is accepted', async (t) => {
    const owner = await open()
    const held = proxy.holdEndTxn()
    const commit = owner.commit(output(4), [{ topic: 'in', partition: 0, offset: 4 }]).catch((error: unknown) => error)
    await held.caught
    proxy.reset()
    await commit
    held.release()
    t.equal(await held.errorCode, 0)
    await waitFor('the commit', async () => (await committed()) === 4)
    await owner.close()
  })

  await t.test('a full disk ends the broker; it comes back on its data', async (t) => {
    const node = kafka.nodes.get(1) as OwnedProcess
    await t.rejects(kafka.startNode(1), /still runs/)
    await fillDisk({ brokers: kafka.brokers, node, id: 1 })
    t.match(node.exit(), { code: 1 })
    await kafka.startNode(1)
    await waitFor('the group to be served', async () => (await committed()) === 4)
  })
  await admin.disconnect()
})
