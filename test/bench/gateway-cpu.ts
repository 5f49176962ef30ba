/** What an acknowledgement costs the gateway's process, beside the least that any gateway in Node would have to do. */
import { type Bench, ratioAtMost, type World } from './bench.ts'
import type { Answered } from './closed-loop-worker.ts'
import { askInLoop, closedLoop, cpuEach } from './gateway.ts'
import { openGateway, startServer } from './gateway-scene.ts'
import { acknowledgement, alipayPlusKey } from './notifications.ts'

const connections = 64

export const gatewayCpu: Bench = {
  name: 'gateway-cpu',
  about: `CPU of all the gateway's threads per acknowledgement: Alipay+, 1 KiB, closed loop, ${connections} connections`,
  async run(world: World) {
    const { server: gateway, expectStored } = await openGateway(world, 'alipayplus')
    const bareEnv = { ANSWER: acknowledgement.alipayplus, PUBLIC_KEY: alipayPlusKey() }
    const bare = await startServer(world, bareEnv, 'bare-server.ts')
    const question = closedLoop(world, 'alipayplus', connections)
    const [kept, verified]: [Answered[], Answered[]] = [[], []]
    for (let n = 0; n < world.repeat; n++) {
      const answered = await askInLoop(gateway, question)
      await expectStored(answered.allAnswers)
      kept.push(answered)
      verified.push(await askInLoop(bare, question))
    }
    return {
      figures: [
        {
          name: 'gateway/cpu',
          what: 'CPU per durable acknowledgement',
          unit: 'µs',
          values: kept.map(cpuEach),
          ceiling: {
            what: 'bare `node:http` that verifies the same signatures and parses the JSON',
            values: verified.map(cpuEach),
          },
          goals: [ratioAtMost(2)],
        },
      ],
    }
  },
}
