import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { operator, temporaryFolder } from '../operator/operator-under-test.ts'
import { startService } from '../support/service.ts'
import { createTopicSet, testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { measureFanOut, merchantAt, registryOfSize } from './measure-fan-out.ts'

const many = 100_000

t.test('the cost of an event does not grow with the number of merchants', async (t) => {
  const few = measureFanOut(registryOfSize(100))
  const most = measureFanOut(registryOfSize(many))
  t.comment(`${few.toFixed(1)} µs of CPU an event with 100 merchants, ${most.toFixed(1)} µs with ${many}`)
  // A thousand times as many: caches make it a little dearer, a walk over the merchants would make it hundreds of times.
  t.ok(most < 5 * few, `${most} µs against ${few} µs`)
})

// Limits are of CPU time: on a busy machine everything takes longer, and nothing more work.
t.test('100,000 merchants are imported and read in seconds', async (t) => {
  const set = await createTopicSet(t, { partitions: 2 })
  const env = { KAFKA_BROKERS: testStack().brokers, TOPIC_PREFIX: set.prefix }
  const file = join(temporaryFolder(t), 'merchants.jsonl')
  writeFileSync(file, Array.from({ length: many }, (_, index) => JSON.stringify(merchantAt(index))).join('\n'))

  const worked = async (what: string, args: string[], expected: object) => {
    const [startedAt, before] = [performance.now(), process.cpuUsage()]
    t.match(await operator(['merchants', ...args], { env }), expected, what)
    const { user, system } = process.cpuUsage(before)
    const [seconds, cpuSeconds] = [(performance.now() - startedAt) / 1000, (user + system) / 1e6]
    t.comment(`${what}: ${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of CPU`)
    t.ok(cpuSeconds < 20, `${what} with ${cpuSeconds.toFixed(1)} s of CPU`)
  }
  await worked('import', ['import', file], { code: 0, out: /100000 entries: 100000 added/ })
  await worked('import again', ['import', file], { code: 0, out: /100000 unchanged/ })

  const service = await startService(t, 'merchant-sync', { ...env, LOG_LEVEL: 'info' })
  const find = () => service.lines().find(({ event }) => event === 'registry-read')
  const read = await waitFor('the registry to be read', find, { timeoutMs: 60_000 })
  t.match(read, { merchants: many, registryOffset: many - 1 }, 'each once: the second import wrote nothing')
  await service.untilReady()
  const metrics = await (await fetch(`${service.probeUrl}/metrics`)).text()
  const metric = (name: string) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(metrics)?.[1])
  const [bytes, cpuSeconds] = [metric('process_resident_memory_bytes'), metric('process_cpu_seconds_total')]
  t.comment(`merchant-sync: ${many} merchants in ${read.durationMs} ms, ${cpuSeconds} s of CPU, ${Math.round(bytes / 1e6)} MB`)
  t.ok(cpuSeconds < 20, `${cpuSeconds} s of CPU`)
  t.ok(bytes < 1e9, `${bytes} bytes`)
})
