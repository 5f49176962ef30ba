import { globSync } from 'node:fs'
import { ensureProgram } from '../../../deploy/local/installed-program.ts'

/** Variables that give a process another clock, by libfaketime. Its package is installed through apt where it is missing. */
export function fakeTime(hours: number, say: (line: string) => void): NodeJS.ProcessEnv {
  ensureProgram('faketime', 'faketime', say)
  const [library] = globSync('/usr/lib/*/faketime/libfaketime.so.1')
  if (!library) throw new Error('libfaketime.so.1 is not in /usr/lib/*/faketime; on Debian: apt-get install faketime')
  return { LD_PRELOAD: library, FAKETIME: `${hours > 0 ? '+' : '-'}${Math.abs(hours)}h`, FAKETIME_DONT_FAKE_MONOTONIC: '1' }
}
