// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts of code
import type { Failpoint } from '../../../shared/runtime/failpoint.ts'

/** One way to break the code: a text that stands in a file exactly once, and what takes its place. */
export type Mutation = {
  name: string
  file: string
  find: string
  replace: string
  /** The faults that must show it. */
  faults: string[]
  /** Where processes are killed or stopped, of all failpoints. */
  failpoints?: Failpoint[]
  repeat: number
}

export const mutations: Mutation[] = [
  {
    name: 'offsets not read again after fencing',
    file: 'shared/stage/slot.ts',
    find: 'const begin = begins.get(where) ?? -1',
    replace: 'const begin = reached.has(where) ? (begins.get(where) ?? -1) : pending.fetched.from',
    faults: ['hang/normalizer/wakes-before-fence'],
    repeat: 3,
  },
  {
    name: 'a plain "seen" flag instead of a claim that knows its owner',
    file: 'services/deduplicator/claim.lua',
    find: 'if claim and holder == offset then',
    replace: 'if false then',
    faults: ['kill/deduplicator/failpoints'],
    failpoints: ['claims.claimed', 'transaction.outputs-sent', 'slot.decided'],
    repeat: 2,
  },
  {
    name: 'one transactional id per process, which fences nobody',
    file: 'shared/stage/run-stage.ts',
    find: 'const idOf = (slot: number, count: number) => `${group}.slots-${count}.${slot}`',
    replace: 'const idOf = (slot: number, count: number) => `${group}.slots-${count}.${slot}.${process.pid}`',
    faults: ['hang/normalizer/failpoints', 'hang/deduplicator/failpoints'],
    failpoints: ['transaction.outputs-sent', 'transaction.offsets-sent'],
    repeat: 1,
  },
  {
    name: 'one transactional id for all slots',
    file: 'shared/stage/run-stage.ts',
    find: 'const idOf = (slot: number, count: number) => `${group}.slots-${count}.${slot}`',
    replace: 'const idOf = (_slot: number, count: number) => `${group}.slots-${count}`',
    faults: ['load/steady'],
    repeat: 1,
  },
  {
    name: 'ids of other slot counts not fenced',
    file: 'shared/stage/transaction.ts',
    find: 'await Promise.all(alsoFence.map(',
    replace: 'await Promise.all([].map(',
    faults: ['slots/changed-with-zombie'],
    repeat: 2,
  },
  {
    name: 'a producer used again after an error',
    file: 'shared/stage/slot.ts',
    find: '      owner = undefined\n      await transactions.close().catch(() => {})\n      throw error',
    replace: '      throw error',
    faults: ['network/late-end-txn', 'broker/kill-transaction-coordinator'],
    repeat: 2,
  },
  {
    name: "kafkajs's retries on in a send over brokers",
    file: 'shared/stage/transaction.ts',
    find: 'retry: { retries: 0 },',
    replace: 'retry: { retries: 5 },',
    faults: ['broker/kill-leader', 'network/kafka/resets', 'broker/kill-transaction-coordinator'],
    repeat: 3,
  },
  {
    name: 'offsets committed before the outputs',
    file: 'shared/stage/slot.ts',
    find: 'await transactions.commit(outputs, offsets)',
    replace: 'await transactions.commit([], offsets)\n      await transactions.commit(outputs, offsets)',
    faults: ['kill/normalizer/failpoints', 'kill/deduplicator/failpoints'],
    failpoints: ['transaction.ended', 'transaction.begun'],
    repeat: 3,
  },
  {
    name: 'an unanswered partition taken for acknowledged',
    file: 'shared/kafka/publisher.ts',
    find: 'return batch.filter((entry) => !entry.settled)',
    replace: 'for (const entry of batch) entry.settle({ partition: entry.partition, offset: "0" })\n    return []',
    faults: ['broker/kill-leader'],
    repeat: 1,
  },
  {
    name: 'acknowledged before the broker',
    file: 'services/gateway/keep.ts',
    find: 'await publisher.publish(record, receivedAt + deadlineMs)',
    replace: 'publisher.publish(record, receivedAt + deadlineMs).catch(() => {})',
    faults: ['kill/gateway/failpoints', 'broker/isr-below-minimum'],
    failpoints: ['publisher.sending', 'publisher.sent'],
    repeat: 2,
  },
  {
    name: "Redis's cursor ignored",
    file: 'services/deduplicator/rebuild.ts',
    find: 'if (!goesOn) await claims.beginEpoch(partition, epoch, from)',
    replace: 'return claims.beginEpoch(partition, epoch, begin)',
    faults: ['redis/flushed', 'redis/restarted-empty'],
    repeat: 1,
  },
  {
    name: 'evictions not noticed',
    file: 'services/deduplicator/lacks.ts',
    find: 'if (now() - checkedAt < everyMs) return evicted',
    replace: 'if (checkedAt > 0) return evicted',
    faults: ['redis/evicting'],
    repeat: 1,
  },
  {
    name: 'a lost range skipped, as kafkajs does',
    file: 'shared/kafka/guards.ts',
    find: 'ConsumerGroup.prototype.recoverFromOffsetOutOfRange = async (error: Error) => {\n  throw error\n}',
    replace: 'void ConsumerGroup',
    faults: ['retention/passed-a-stopped-normalizer'],
    repeat: 1,
  },
  {
    name: 'aborted records read',
    file: 'shared/stage/run-stage.ts',
    find: 'readUncommitted: false,',
    replace: 'readUncommitted: true,',
    faults: ['kill/normalizer/failpoints', 'hang/normalizer/failpoints'],
    failpoints: ['transaction.outputs-sent'],
    repeat: 2,
  },
  {
    name: 'late not marked',
    file: 'shared/deduplicate/decide.ts',
    find: 'if (!late) return emit(',
    replace: 'if (!late || late) return emit(',
    faults: ['kill/token-states/any-instant'],
    repeat: 1,
  },
  {
    name: 'another registry version recorded than decided by',
    file: 'services/merchant-sync/fan-out.ts',
    find: 'registryOffset: registry.offset(),',
    replace: 'registryOffset: registry.offset() - 1,',
    faults: ['kill/merchant-sync/any-instant'],
    repeat: 1,
  },
  {
    name: 'judged by a wrong clock',
    file: 'services/deduplicator/claim.lua',
    find: 'if math.abs(now - tonumber(ARGV[7])) > 3600000 then',
    replace: 'if false then',
    faults: ['clock/deduplicator/ahead'],
    repeat: 1,
  },
]
