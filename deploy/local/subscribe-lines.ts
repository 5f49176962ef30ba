import { topicNames } from '../../shared/contracts/topics.ts'

/** How to read the public topic with other tools, as lines to copy. Both read committed records only. */
export function subscribeLines(brokers: string, prefix: string): string[] {
  const { events } = topicNames(prefix)
  const format = '%T %k %h\\n%s\\n\\n'
  const node = [
    `const { Kafka } = require('kafkajs')`,
    `const c = new Kafka({ brokers: ${JSON.stringify(brokers.split(',')).replaceAll('"', "'")}, logLevel: 1 }).consumer({ groupId: 'my-' + Date.now() })`,
    `c.subscribe({ topic: '${events}', fromBeginning: true }).then(() => c.run({ autoCommit: false, eachMessage: async ({ message }) => console.log(String(message.value)) }))`,
  ].join('; ')
  return [
    `kcat -b ${brokers} -X isolation.level=read_committed -C -t ${events} -o beginning -u -f '${format}'`,
    `node -e "${node}"`,
  ]
}
