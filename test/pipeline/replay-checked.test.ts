/** The offline checker, which shares no code with the pipeline, after a replay in place: it finds copies that are raw records of their own. */
import { join } from 'node:path'
import t from 'tap'
import { header } from '../../shared/contracts/headers.ts'
import { checkRun } from '../faults/checker/check-run.ts'
import { writeSmallRun } from '../faults/checker/small-run.ts'
import { operator } from '../operator/operator-under-test.ts'
import { readAll, readSettled } from '../support/read-topic.ts'
import { startService } from '../support/service.ts'
import { createTopicSet, testStack } from '../support/topic-set.ts'
import { waitFor } from '../support/wait-for.ts'
import { busiestMerchant } from './simulation.ts'

t.test('the offline checker finds nothing amiss after a replay in place with syncs', async (t) => {
  const set = await createTopicSet(t)
  const { topics, prefix } = set
  const { brokers, redisUrl } = testStack()
  const keys = t.testdir()
  const history = await writeSmallRun(set, keys)
  const env = {
    KAFKA_BROKERS: brokers,
    REDIS_URL: redisUrl,
    TOPIC_PREFIX: prefix,
    RAW_PRIVATE_KEYS_FILE: join(keys, 'raw.private.json'),
    CREDENTIAL_KEYS_FILE: join(keys, 'credentials.json'),
    IDENTITY_KEY_FILE: join(keys, 'identity.json'),
  }
  const services = await Promise.all(['normalizer', 'deduplicator', 'merchant-sync'].map((name) => startService(t, name, env)))
  await Promise.all(services.map((service) => service.untilReady()))

  const { merchantId, syncs: originals } = busiestMerchant(await readSettled(topics.syncs))
  const args = ['replay', 'run', '--in-place', '--all', '--sync', `merchant=${merchantId}`, '--id', 'checked', '--json']
  const { code, json } = await operator(args, { env })
  t.equal(code, 0)
  const isCopy = ({ headers }: { headers: Record<string, string> }) => headers[header.replayId] === 'checked'
  const copies = (await readAll(...Object.values(topics.raw))).filter(isCopy)
  const syncs = (await readAll(topics.syncs)).filter(isCopy)
  t.ok(copies.length > 50 && syncs.length > 5, `${copies.length} copies, ${syncs.length} syncs`)
  t.equal(syncs.length, originals.length, 'every sync of the merchant again')
  t.equal(json().written, copies.length + syncs.length)
  await waitFor(
    'every copy to be a duplicate',
    async () => (await readAll(topics.duplicates)).filter(isCopy).length === copies.length,
  )

  const report = await checkRun({ brokers, prefix, history, keys })
  t.strictSame(report.problems, [])
  t.ok(report.ok)
  t.equal(report.figures.raw, report.figures.events + report.figures.duplicates + report.figures.deadLetters)
})
