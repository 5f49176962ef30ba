import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive } from './owned-process.ts'

/** Two stacks on one data folder would corrupt it. Throws one sentence that names the other; returns how to let go. */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'stack.lock')
  const mine = ownerText(process.pid)
  for (;;) {
    try {
      writeFileSync(file, mine, { flag: 'wx' })
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const owner = readOwner(file)
    const pid = Number(owner?.split(' ')[0])
    if (pid > 0 && isAlive(pid) && owner === ownerText(pid))
      throw new Error(`Another stack (process ${pid}) is running on ${folder}: stop it first, or use it.`)
    rmSync(file, { force: true })
  }
  const release = () => rmSync(file, { force: true })
  process.once('exit', release)
  return () => {
    process.off('exit', release)
    release()
  }
}

/** Process ids are reused, also after a restart of the machine; the time of the start tells them apart where /proc has it. */
function ownerText(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // After the name, which may hold anything in parentheses, come fields 3 and on; the start time is field 22.
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
  } catch {
    return `${pid}`
  }
}

function readOwner(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
