/**
 * What the next state of a token needs of the past: whether and where the token has ended. Kept in memory for ended tokens only, since the rest
 * needs none. Every member follows the committed states of all partitions, so that it can take any of them over at once.
 */
import { hasEnded } from '../../shared/contracts/token-state.ts'
import type { TokenState } from '../../shared/contracts/types.ts'
import type { SourceRecord } from '../../shared/kafka/record.ts'
import type { Log } from '../../shared/runtime/log.ts'
import type { Batch } from '../../shared/stage/stage.ts'

/** Of one partition. All of it are facts of the log: a batch that comes again, or an owner that was fenced, cannot make them wrong. */
export type Endings = {
  /** Offset of the event that ended the token; undefined while it has not. */
  endedAt: (tokenRef: string) => number | undefined
  end: (tokenRef: string, offset: number) => void
  /** One past the newest event whose state has been read. */
  written: number
  /** Endings by all events below this offset are known. */
  knownUpTo: number
}

export type Memory = {
  of: (partition: number) => Endings
  /** Takes in a committed state. */
  learn: (record: SourceRecord) => void
  /** Ended tokens of all partitions. */
  count: () => number
}

export function createMemory(log: Log): Memory {
  const partitions = new Map<number, ReturnType<typeof createEndings>>()
  const of = (partition: number) => {
    const endings = partitions.get(partition) ?? createEndings()
    partitions.set(partition, endings)
    return endings
  }
  return {
    of,
    learn: (record) => learn(of(record.partition), record, log),
    count: () => [...partitions.values()].reduce((sum, endings) => sum + endings.count(), 0),
  }
}

type Deps = {
  memory: Memory
  /** One past the last committed record of the partition of the states topic. */
  end: (partition: number) => Promise<number>
  /** Resolves when all states of the partition below this offset have been learnt. */
  learntUpTo: (partition: number, offset: number, signal?: AbortSignal) => Promise<void>
}

/**
 * The endings of a batch's partition, by all events before the batch. Called by its owner, so after older owners were fenced: the states by all
 * events below the committed offset are in the topic, and nobody adds to them. A batch that goes on where this process's last one ended needs no look.
 */
export function createRecall({ memory, end, learntUpTo }: Deps): (batch: Batch) => Promise<Endings> {
  return async ({ partition, begin, signal }) => {
    const endings = memory.of(partition)
    if (begin <= endings.knownUpTo) return endings
    await learntUpTo(partition, await end(partition), signal)
    endings.knownUpTo = Math.max(endings.knownUpTo, begin)
    return endings
  }
}

export function createEndings(): Endings & { count: () => number } {
  const offsets = new Map<string, number>()
  return {
    written: 0,
    knownUpTo: -1,
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
