import t from 'tap'
import { createRandom } from '../../services/operator/simulator/random.ts'
import { header } from '../../shared/contracts/headers.ts'
import type { MerchantSync, TokenEvent } from '../../shared/contracts/types.ts'
import type { SourceRecord } from '../../shared/stage/outcome.ts'
import { readAll } from '../support/read-topic.ts'
import { waitFor } from '../support/wait-for.ts'
import { startPipeline } from './pipeline.ts'
import { changeRegistry, createOracle, firstEntries, putAll } from './registry-changes.ts'
import { developmentKeys, processed, simulate } from './simulation.ts'

const originOf = ({ headers }: SourceRecord) => headers[header.origin] as string
const parse = <T>({ value }: SourceRecord) => JSON.parse(String(value)) as T

t.test(
  'while the registry changes and merchant-sync is killed, each event goes exactly where the recorded version says',
  async (t) => {
    const { keys, env } = await developmentKeys()
    const { set, gatewayUrl, services, startAnother } = await startPipeline(t, env, {
      beforeStart: (set) => putAll(set, firstEntries),
    })
    const second = await startAnother('merchant-sync')
    await second.untilReady()
    const changes = changeRegistry(set, createRandom('registry'))
    const simulation = simulate(gatewayUrl, keys, { seed: 13, count: 2_000, rate: 120 })

    const both = [services['merchant-sync'], second]
    await waitFor('both to be in the middle of it', () => both.every((service) => processed(service) > 100), {
      timeoutMs: 60_000,
    })
    await second.kill()
    await services['merchant-sync'].kill()
    const before = (await readAll(set.topics.syncs)).map((record) => parse<MerchantSync>(record).registryOffset)
    const third = await startAnother('merchant-sync')
    await waitFor('the third one to be at work', () => processed(third) > 100, { timeoutMs: 60_000 })
    const readAtStart = third.lines().find(({ event }) => event === 'registry-read')
    t.ok(Number(readAtStart?.registryOffset) >= Math.max(...before), 'it begins with no older version than any before it')

    const expected = await simulation
    await changes.stop()
    const events = await waitFor('all events', async () => {
      const found = await readAll(set.topics.events)
      return found.length >= expected.length && found
    })
    const syncs = await waitFor('a sync of each event', async () => {
      const found = await readAll(set.topics.syncs)
      return new Set(found.map(originOf)).size >= events.length && found
    })

    const oracle = createOracle(await readAll(set.topics.merchants))
    const byOrigin = Map.groupBy(syncs, originOf)
    const used = new Set<number>()
    let differently = 0
    for (const record of events) {
      const event = parse<TokenEvent>(record)
      const mine = (byOrigin.get(originOf(record)) ?? []).map((sync) => parse<MerchantSync>(sync))
      const versions = new Set(mine.map(({ registryOffset }) => registryOffset))
      const [version = -2] = versions
      const went = mine.map(({ merchantId, subscriptionId }) => `${merchantId}/${subscriptionId}`).sort()
      const wanted = oracle(event, version)
      if (versions.size !== 1) t.fail(`${event.eventId} was decided by versions ${[...versions].join(', ')}`)
      if (String(went) !== String(wanted)) t.strictSame(went, wanted, `${event.eventId} by version ${version}`)
      if (mine.some(({ event: sent }) => sent.eventId !== event.eventId)) t.fail(`${event.eventId} has another event's sync`)
      if (String(wanted) !== String(oracle(event, firstEntries.length - 1))) differently++
      used.add(version)
    }
    t.equal(byOrigin.size, events.length, 'no sync without its event')
    t.equal(events.length, expected.length)
    t.comment(`${events.length} events, ${syncs.length} syncs, by ${used.size} versions; ${differently} not as by the first`)
    t.ok(used.size > 20 && differently > events.length / 4, 'the registry changed under the events')
  },
)
