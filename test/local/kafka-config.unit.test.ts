import t from 'tap'
import { brokerList, kafkaConfig } from '../../deploy/local/kafka-config.ts'

const nodes = [1, 2, 3].map((id) => ({ id, port: 9000 + id, controllerPort: 9100 + id }))
const settingsOf = (text: string) =>
  Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s, 2)),
  )

t.test('one node keeps everything once', async (t) => {
  const [node] = nodes.slice(0, 1) as [(typeof nodes)[number]]
  t.match(settingsOf(kafkaConfig(node, [node], '/data')), {
    'process.roles': 'broker,controller',
    'controller.quorum.voters': '1@127.0.0.1:9101',
    'advertised.listeners': 'PLAINTEXT://127.0.0.1:9001',
    'log.dirs': '/data',
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'min.insync.replicas': '1',
  })
})

t.test('three nodes keep everything three times and acknowledge with two', async (t) => {
  const [, second] = nodes as [unknown, (typeof nodes)[number]]
  t.match(settingsOf(kafkaConfig(second, nodes, '/data')), {
    'node.id': '2',
    'controller.quorum.voters': '1@127.0.0.1:9101,2@127.0.0.1:9102,3@127.0.0.1:9103',
    'offsets.topic.replication.factor': '3',
    'transaction.state.log.min.isr': '2',
    'default.replication.factor': '3',
    'min.insync.replicas': '2',
  })
  t.equal(brokerList(nodes), '127.0.0.1:9001,127.0.0.1:9002,127.0.0.1:9003')
})

t.test('nothing listens beyond loopback', async (t) => {
  for (const node of nodes)
    t.match(
      settingsOf(kafkaConfig(node, nodes, '/data')).listeners,
      /^PLAINTEXT:\/\/127\.0\.0\.1:\d+,CONTROLLER:\/\/127\.0\.0\.1:\d+$/,
    )
})

t.test('a node behind a proxy sends clients of its second listener to the proxy, and the others on as before', async (t) => {
  const node = { id: 1, port: 9001, controllerPort: 9101, proxied: { port: 9201, proxyPort: 9301 } }
  t.match(settingsOf(kafkaConfig(node, [node], '/data')), {
    listeners: 'PLAINTEXT://127.0.0.1:9001,CONTROLLER://127.0.0.1:9101,PROXIED://127.0.0.1:9201',
    'advertised.listeners': 'PLAINTEXT://127.0.0.1:9001,PROXIED://127.0.0.1:9301',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
  })
})
