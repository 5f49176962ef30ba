import type { Kafka } from './client.ts'

export type GroupMember = { clientId: string; host: string }
/** `Dead`: the cluster does not know the group. */
export type GroupState = 'Dead' | 'Empty' | 'Stable' | 'PreparingRebalance' | 'CompletingRebalance' | 'Unknown'
export type GroupOffsets = Map<string, Map<number, number>>

/** What an operator asks and changes about a consumer group of any team. */
export type Groups = {
  describe: (group: string) => Promise<{ state: GroupState; members: GroupMember[] }>
  /** Where it goes on, by topic and partition; partitions for which it has committed nothing are not there. */
  committed: (group: string) => Promise<GroupOffsets>
  /** Throws if a member has joined meanwhile, or if the offsets are not what was asked for afterwards. */
  setOffsets: (group: string, topic: string, offsets: Map<number, number>) => Promise<void>
  close: () => Promise<void>
}

export async function openGroups(kafka: Kafka): Promise<Groups> {
  const admin = kafka.admin()
  await admin.connect()
  const committed = async (groupId: string): Promise<GroupOffsets> => {
    const topics = await admin.fetchOffsets({ groupId })
    const known = topics.map(({ topic, partitions }): [string, Map<number, number>] => [
      topic,
      new Map(partitions.filter(({ offset }) => Number(offset) >= 0).map(({ partition, offset }) => [partition, Number(offset)])),
    ])
    return new Map(known.filter(([, partitions]) => partitions.size > 0))
  }
  return {
    async describe(group) {
      const { groups } = await admin.describeGroups([group])
      const [found] = groups
      const members = found?.members.map(({ clientId, clientHost }) => ({ clientId, host: clientHost })) ?? []
      return { state: (found?.state ?? 'Dead') as GroupState, members }
    },
    committed,
    async setOffsets(groupId, topic, offsets) {
      const partitions = [...offsets].map(([partition, offset]) => ({ partition, offset: String(offset) }))
      await admin.setOffsets({ groupId, topic, partitions })
      // kafkajs joins as a member to commit and says nothing of what came of it.
      const now = (await committed(groupId)).get(topic)
      const wrong = [...offsets].filter(([partition, offset]) => now?.get(partition) !== offset).map(([partition]) => partition)
      if (wrong.length > 0)
        throw new Error(`${groupId}: the offsets of ${topic}/${wrong.join(', ')} are not what they were set to`)
    },
    close: () => admin.disconnect(),
  }
}
