import { setTimeout as sleep } from 'node:timers/promises'

const pauseMs = 50

type Truthy<T> = Exclude<T, false | 0 | '' | null | undefined>

/**
 * Waits until the condition gives something truthy, and returns that. A condition that throws counts as not yet; the failure says what
 * was waited for, and the last error.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  { timeoutMs = 30_000 }: { timeoutMs?: number } = {},
): Promise<Truthy<T>> {
  const deadline = Date.now() + timeoutMs
  for (let last = ''; ; ) {
    try {
      const result = await condition()
      if (result) return result as Truthy<T>
      last = ''
    } catch (error) {
      last = `; last error: ${(error as Error).message}`
    }
    if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs / 1000} s for ${what}${last}`)
    await sleep(pauseMs)
  }
}
