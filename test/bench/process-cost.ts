/** What a process costs, as the kernel has it (Linux, `/proc`). */
import { readFileSync } from 'node:fs'

/** Clock ticks a second: 100 on every Linux that Node runs on. */
const ticks = 100

/** Microseconds of CPU that a process with all its threads has taken since it began. */
export function cpuUs(pid: number): number {
  // The name, in parentheses, may hold spaces; user and system time are the 14th and 15th fields.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return ((Number(fields[11]) + Number(fields[12])) / ticks) * 1e6
}

/** Whether the process has been stopped (SIGSTOP). */
export const isStopped = (pid: number): boolean => /^.*\) T /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))

/** Resident memory in MiB: what a container's limit counts. */
export function residentMib(pid: number): number {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) / 1024
}

/** The most resident memory it has ever had, in MiB. */
export function peakResidentMib(pid: number): number {
  const [, kib] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) / 1024
}
