import { describeError } from '../../../shared/runtime/log.ts'
import { createGate } from '../simulator/gate.ts'
import { createHttpClient } from '../simulator/http.ts'
import { createRandom } from '../simulator/random.ts'
import type { AlipayplusSender, BluepaySender, Senders } from '../simulator/senders.ts'
import { alipayplusAccepted } from './alipayplus-accepted.ts'
import { alipayplusRefused } from './alipayplus-refused.ts'
import { bluepayAccepted } from './bluepay-accepted.ts'
import { bluepayRefused } from './bluepay-refused.ts'
import { type Case, type Kit, MissingSender } from './case.ts'
import { describeAnswer } from './expectations.ts'
import { protocolCases } from './protocol-cases.ts'
import { createByteSender } from './raw-socket.ts'

export const allCases: readonly Case[] = [
  ...alipayplusAccepted,
  ...alipayplusRefused,
  ...bluepayAccepted,
  ...bluepayRefused,
  ...protocolCases,
]

export type CaseResult = {
  name: string
  title: string
  expected: string
  outcome: 'passed' | 'failed' | 'skipped'
  got: string
  durationMs: number
}

const answerTimeoutMs = 15_000
/** Slow senders are to be cut off within this time. */
const patienceMs = 30_000
const casesAtOnce = 8

/** Runs the cases against the target and returns a result for each, in the order of the list. */
export async function runCases(
  cases: readonly Case[],
  options: { target: URL; senders: Senders; seed: string; onResult: () => void },
): Promise<CaseResult[]> {
  const client = createHttpClient(options.target, casesAtOnce * 2)
  const sendBytes = createByteSender(options.target, patienceMs)
  const gate = createGate(casesAtOnce)
  const runOne = async (one: Case): Promise<CaseResult> => {
    const startedAt = performance.now()
    const result = (outcome: CaseResult['outcome'], got: string): CaseResult => {
      options.onResult()
      const durationMs = Math.round(performance.now() - startedAt)
      return { name: one.name, title: one.title, expected: one.expect.says, outcome, got, durationMs }
    }
    try {
      const kit: Kit = {
        ...castKit(options.senders),
        send: (request) => client.send(request, answerTimeoutMs),
        sendBytes,
        random: createRandom(`${options.seed}/${one.name}`),
        now: Date.now(),
      }
      const answers = await one.exchange(kit)
      const wrong = one.expect.wrong(answers, kit)
      const said = [...new Set(answers.map(describeAnswer))].join(', ')
      return wrong === undefined ? result('passed', said) : result('failed', wrong)
    } catch (error) {
      return result(error instanceof MissingSender ? 'skipped' : 'failed', describeError(error))
    }
  }
  try {
    // Slow senders take half a minute and no work: they begin first and take nobody's place.
    const slow = cases.filter(isSlow).map(runOne)
    const rest = cases.map((one) => (isSlow(one) ? undefined : gate.pass(() => runOne(one))))
    const results = [...(await Promise.all(slow)), ...(await Promise.all(rest))].filter((result) => result !== undefined)
    return cases.map(({ name }) => results.find((result) => result.name === name) as CaseResult)
  } finally {
    client.close()
  }
}
const isSlow = ({ name }: Case) => /\/slow-|too-short/.test(name)

/** Who plays which part. Getters, so that a missing one only skips the cases that need it. */
function castKit({ alipayplus, bluepay }: Senders): Pick<Kit, 'alipayplus' | 'bluepay'> {
  const active = alipayplus.filter(({ state }) => state === 'active')
  const byClient = Map.groupBy(active, ({ clientId }) => clientId)
  const several = [...byClient.values()].find((keys) => keys.length > 1)
  const main = several?.[0] ?? active[0]
  const paramStyle = bluepay.filter(({ style }) => style === 'param')
  const the = <S extends AlipayplusSender | BluepaySender>(sender: S | undefined, what: string): S => {
    if (sender === undefined) throw new MissingSender(what)
    return sender
  }
  return {
    alipayplus: {
      get active() {
        return the(main, 'active Alipay+ key')
      },
      get rotated() {
        return the(several?.[1], 'Alipay+ client with two active keys')
      },
      get retired() {
        const retired = alipayplus.find(({ state, clientId }) => state === 'retired' && clientId === main?.clientId)
        return the(retired, 'retired Alipay+ key')
      },
      get single() {
        const alone = [...byClient.values()].find((keys) => keys.length === 1 && keys[0]?.clientId !== main?.clientId)
        return the(alone?.[0], 'Alipay+ client with one key')
      },
    },
    bluepay: {
      get param() {
        return the(paramStyle[0], 'BluePay account of style param')
      },
      get otherParam() {
        return the(paramStyle[1], 'second BluePay account of style param')
      },
      get flat() {
        return the(
          bluepay.find(({ style }) => style === 'flat'),
          'BluePay account of style flat',
        )
      },
    },
  }
}
