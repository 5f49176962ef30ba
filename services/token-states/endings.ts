/**
 * What the next state of a token needs of the past: whether and where the token has ended. Kept in memory for ended tokens only, since the rest
 * needs none, and read again from the committed states whenever somebody else may have written some.
 */
import { hasEnded } from '../../shared/contracts/token-state.ts'
import type { TokenState } from '../../shared/contracts/types.ts'
import type { RangeReader } from '../../shared/kafka/range-reader.ts'
import type { SourceRecord } from '../../shared/kafka/record.ts'
import type { Log } from '../../shared/runtime/log.ts'
import type { Batch } from '../../shared/stage/stage.ts'

/** Of one partition. All of it are facts of the log: a batch that comes again, or an owner that was fenced, cannot make them wrong. */
export type Endings = {
  /** Offset of the event that ended the token; undefined while it has not. */
  endedAt: (tokenRef: string) => number | undefined
  end: (tokenRef: string, offset: number) => void
  /** One past the newest event whose state was in the topic when it was last read. */
  written: number
  /** Endings by all events below this offset are known. */
  knownUpTo: number
}
type Kept = Endings & { count: () => number; next: number }

type Deps = {
  /** First offset of the partition of the states topic, and one past its last committed record. */
  bounds: (partition: number) => Promise<{ low: number; high: number }>
  readRange: RangeReader
  log: Log
}

/**
 * The endings of a batch's partition, by all events before the batch. Called by its owner, so after older owners were fenced: the states by all
 * events below the committed offset are in the topic, and nobody adds to them. A batch that goes on where this process's last one ended needs no look.
 */
export function createRecall({ bounds, readRange, log }: Deps): (batch: Batch) => Promise<Endings> {
  const partitions = new Map<number, Kept>()
  return async ({ partition, begin, signal }) => {
    const endings = partitions.get(partition) ?? createEndings()
    partitions.set(partition, endings)
    if (begin <= endings.knownUpTo) return endings
    const startedAt = Date.now()
    const { low, high } = await bounds(partition)
    const from = Math.max(low, endings.next)
    let records = 0
    await readRange({
      partition,
      from,
      to: high,
      signal,
      async onRecords(chunk, end) {
        for (const record of chunk) learn(endings, record, log)
        endings.next = Math.max(endings.next, end)
        records += chunk.length
      },
    })
    endings.knownUpTo = Math.max(endings.knownUpTo, begin)
    log.info('states-read', { partition, from, upto: high, records, count: endings.count(), durationMs: Date.now() - startedAt })
    return endings
  }
}

export function createEndings(): Kept {
  const offsets = new Map<string, number>()
  return {
    written: 0,
    knownUpTo: -1,
    next: 0,
    count: () => offsets.size,
    endedAt: (tokenRef) => offsets.get(packed(tokenRef)),
    end: (tokenRef, offset) => void offsets.set(packed(tokenRef), offset),
  }
}

/** 16 characters of a byte each: half the memory of the hex digits. */
const packed = (tokenRef: string) => Buffer.from(tokenRef, 'hex').toString('latin1')

const positionForm = /\/(\d+)$/

/** A record that is no state was not written by this stage; it says nothing about a token. */
function learn(endings: Endings, { partition, offset, value }: SourceRecord, log: Log): void {
  const { tokenRef, status, position } = parse(value)
  const at = positionForm.exec(position ?? '')?.[1]
  if (!tokenRef || !status || at === undefined) {
    log.error('state-refused', {
      partition,
      offset,
      reason: 'no tokenRef, status or position: something else writes to this topic',
    })
    return
  }
  endings.written = Math.max(endings.written, Number(at) + 1)
  if (hasEnded({ status })) endings.end(tokenRef, Number(at))
}

function parse(value: Buffer | null): Partial<TokenState> {
  try {
    return JSON.parse(value?.toString('utf8') ?? '{}') ?? {}
  } catch {
    return {}
  }
}
