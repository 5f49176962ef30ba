/**
 * The one table behind `operator capacity`: what each part costs, and where that was measured. Everything else is arithmetic. After another full
 * `npm run bench`, take the medians of test/bench/RESULTS.md over and the README's table from the command.
 */
export type Cost = { value: number; unit: string; origin: string }

const bench = 'test/bench/RESULTS.md'
const drain = 'drain of 40,000 raw records, a fifth copies, 12 partitions, on a busy machine of two cores'

export const costs = {
  gatewayUs: {
    value: 225,
    unit: 'µs of CPU per acknowledged notification of 1 KiB',
    origin: `${bench}: gateway/cpu, 64 connections`,
  },
  gatewayUsPerKib: {
    value: 14,
    unit: 'µs more per KiB of body beyond the first',
    origin: 'sealing bodies of 0.8, 4.8 and 8.8 KiB',
  },
  normalizerUs: { value: 96, unit: 'µs of CPU per notification', origin: `${bench}: stages/normalizer/cpu` },
  deduplicatorUs: { value: 32, unit: 'µs of CPU per notification', origin: `${bench}: stages/deduplicator/cpu` },
  merchantSyncUs: {
    value: 53,
    unit: 'µs of CPU per merchant sync, or per event without one',
    origin: `${bench}: stages/merchant-sync/cpu`,
  },
  tokenStatesUs: {
    value: 40,
    unit: 'µs of CPU per event, in the process that has its partition',
    origin: `${bench}: stages/token-states/cpu`,
  },
  tokenStatesFollowUs: {
    value: 12,
    unit: 'µs of CPU per event, in every process of token-states, since each reads all states',
    origin: 'a second process reading 20,807 states of 30,844 events at its start',
  },
  claimUs: {
    value: 10.4,
    unit: 'µs of CPU of Redis per claim',
    origin: `${bench}: claims/known-10000000/cpu, of which this is Redis's; with 10,000 known 5`,
  },
  claimBytes: {
    value: 161,
    unit: 'bytes of Redis memory per event within window and slack',
    origin: '1,000,000 claims in Redis 7.0 of Debian, whose allocator has no classes of 24 and 40 bytes',
  },
  rebuiltPerSecond: {
    value: 58_000,
    unit: 'records a second that one deduplicator claims anew after Redis forgot',
    origin: `${bench}: rebuild/rate`,
  },
  brokerUs: { value: 40, unit: 'µs of CPU of the broker that leads, per record written and read by one stage', origin: drain },
  brokerReplicaShare: {
    value: 0.5,
    unit: 'of that for each further replica',
    origin: 'assumed: a follower is fetched by nobody',
  },
  rawBytes: { value: 870, unit: 'bytes on disk per raw record besides its body', origin: `${drain}: segments over records` },
  sealedBytesPerByte: { value: 4 / 3, unit: 'bytes on disk per byte of body', origin: 'base64 of the sealed bytes' },
  normalizedBytes: { value: 1468, unit: 'bytes on disk per normalized event', origin: `${drain}: segments over records` },
  eventBytes: { value: 1405, unit: 'bytes on disk per event', origin: `${drain}: segments over records` },
  duplicateBytes: { value: 377, unit: 'bytes on disk per duplicate', origin: `${drain}: segments over records` },
  syncBytes: { value: 1610, unit: 'bytes on disk per merchant sync', origin: `${drain}: segments over records` },
  stateBytes: { value: 726, unit: 'bytes on disk per token, for ever', origin: `${drain}: segments over records` },
  endedTokenBytes: {
    value: 75,
    unit: 'bytes in every process of token-states per ended token, for ever',
    origin: '3,000,000 in memory: 62, and room to grow',
  },
  tokenShare: {
    value: 0.5,
    unit: 'of the events create a token',
    origin: 'assumed: the others are codes, cancellations, failures',
  },
  endedShare: { value: 0.25, unit: 'of the events end a token', origin: 'assumed: half of all tokens are canceled once' },
  heapGib: { value: 4, unit: 'GiB that Node gives a process for its objects', origin: 'with --max-old-space-size=4096' },
  mostMembers: {
    value: 96,
    unit: 'processes in one consumer group',
    origin: 'assumed: kafkajs rebalances eagerly, so each join and each loss stops the whole group',
  },
  mostPartitions: {
    value: 384,
    unit: 'partitions of a topic',
    origin: 'assumed: 12 topics of it, each with a transaction per slot',
  },
  brokerCores: { value: 8, unit: 'cores of a broker', origin: 'assumed' },
  brokerDiskTib: { value: 8, unit: 'TiB of disk of a broker', origin: 'assumed' },
  brokerWriteMib: {
    value: 250,
    unit: 'MiB/s that a broker writes, replicas included',
    origin: 'assumed: one 10 Gbit/s link, read three times',
  },
  redisServerGib: { value: 64, unit: 'GiB of memory of a Redis server', origin: 'assumed' },
} as const satisfies Record<string, Cost>
