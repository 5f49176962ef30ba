import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../runtime/log.ts'
import { type Admin, kafkaErrorType } from './client.ts'

/** Who leads each partition, as the cluster last said. */
export type Leaders = {
  /** Broker id per partition, or undefined while unknown. */
  of: (topic: string) => number[] | undefined
  known: () => boolean
  /** Asks again, once however many ask, until the cluster answers or `close`. */
  refresh: () => Promise<void>
  close: () => Promise<void>
}

const maxPauseMs = 250

export function createLeaders(options: { admin: Admin; topics: string[]; log: Log; connect: () => Promise<void> }): Leaders {
  const { admin, topics, log, connect } = options
  let leaders = new Map<string, number[]>()
  let refreshing: Promise<void> | undefined
  let closed = false

  async function ask(): Promise<void> {
    for (let pauseMs = 20; !closed; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
      try {
        await connect()
        const metadata = await admin.fetchTopicMetadata({ topics })
        leaders = new Map(
          metadata.topics.map(({ name, partitions }) => {
            const sorted = partitions.toSorted((a, b) => a.partitionId - b.partitionId)
            return [name, sorted.map(({ leader }) => leader)]
          }),
        )
        return
      } catch (error) {
        log.warn('leaders-unknown', { error, code: kafkaErrorType(error) })
        await sleep(pauseMs)
      }
    }
  }

  return {
    of: (topic) => leaders.get(topic),
    known: () => leaders.size > 0,
    refresh() {
      refreshing ??= ask().finally(() => {
        refreshing = undefined
      })
      return refreshing
    },
    async close() {
      closed = true
      await refreshing
    },
  }
}
