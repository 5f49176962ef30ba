import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { SentChange } from './accounting.ts'
import { type OwnedProcess, startOwned } from './owned-process.ts'
import { documentIn, mainOf, nodeBinary } from './run-operator.ts'
import type { StartOptions } from './start-options.ts'

/** What the simulator says when it has sent all that it was asked to. */
export type SimulationResult = { acknowledged: number; sent: SentChange[]; fulfilled: boolean; summary: string }

const restRate = 20

/** Starts `operator simulate` against the gateway; with a count it writes down every distinct change that it sends. */
export async function startSimulator(options: {
  start: StartOptions
  gatewayUrl: string
  keysDir: string
  logDir: string
}): Promise<{ process: OwnedProcess; result: () => Promise<SimulationResult> }> {
  const { start, gatewayUrl, keysDir, logDir } = options
  const planFile = join(logDir, 'simulator-plan.json')
  rmSync(planFile, { force: true })
  const rate = start.rate ?? (start.count === undefined ? restRate : undefined)
  const args = ['simulate', '--json', '--target', gatewayUrl, '--keys', keysDir, '--duplicates', String(start.duplicates)]
  if (rate !== undefined) args.push('--rate', String(rate))
  if (start.seed !== undefined) args.push('--seed', start.seed)
  if (start.count !== undefined) args.push('--count', String(start.count), '--plan-file', planFile)

  const simulator = await startOwned({
    name: 'simulator',
    command: nodeBinary,
    args: [mainOf('operator'), ...args],
    logFile: join(logDir, 'simulator.log'),
  })
  return {
    process: simulator,
    async result() {
      const { code } = await simulator.exited
      const document = documentIn<Document | { error: string }>(simulator.output())
      if (!document || 'error' in document)
        throw new Error(`The simulator failed: ${simulator.output().trim().slice(-500)} (log: ${simulator.logFile})`)
      const { changes } = JSON.parse(readFileSync(planFile, 'utf8')) as { changes: SentChange[] }
      return { acknowledged: document.acknowledged, sent: changes, fulfilled: code === 0, summary: summaryOf(document) }
    },
  }
}

type Document = {
  seed: string
  sent: number
  acknowledged: number
  distinct: number
  lost: number
  wrongAnswers: number
  trouble: string[]
}

function summaryOf({ seed, sent, acknowledged, distinct, lost, wrongAnswers, trouble }: Document): string {
  const words = [`seed ${seed}: ${sent} requests sent, ${acknowledged} acknowledged, ${distinct} distinct changes`]
  if (lost > 0) words.push(`${lost} given up`)
  if (wrongAnswers > 0) words.push(`${wrongAnswers} answers not as documented (${trouble.join('; ')})`)
  return words.join(', ')
}
