import type { Fault } from './fault.ts'
import { brokerFaults } from './list/brokers.ts'
import { networkFaults } from './list/network.ts'
import { processFaults } from './list/processes.ts'
import { redisFaults } from './list/redis.ts'
import { surroundingFaults } from './list/surroundings.ts'

/** All of them; `npm run test:faults -- --list` prints them. */
export const faults: Fault[] = [...processFaults, ...brokerFaults, ...networkFaults, ...redisFaults, ...surroundingFaults]

/** Throws when nothing fits. */
export function chooseFaults(all: Fault[], { only, smoke }: { only?: string[] | undefined; smoke: boolean }): Fault[] {
  const chosen = all.filter((fault) => (!smoke || fault.smoke) && (!only || only.some((part) => fault.name.includes(part))))
  if (chosen.length === 0) throw new Error(`No fault fits ${only?.join(', ') ?? '--smoke'}; --list shows them.`)
  return chosen
}
