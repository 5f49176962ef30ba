import { readTopics } from '../../../shared/kafka/reader.ts'
import { hasTopic } from '../../../shared/kafka/topics.ts'
import { audit, type KafkaSession } from '../kafka-session.ts'
import type { Terminal } from '../terminal.ts'
import { applyRecord, type Job, type JobEntry } from './jobs.ts'

/** The replays as the audit trail has them, followed while it is open. */
export type Journal = {
  job: (id: string) => Job | undefined
  jobs: () => Job[]
  /** Resolves when the trail has the entry and it has come back, so that everything before it is known. */
  write: (command: string, entry: JobEntry) => Promise<void>
  /** Resolves to the first answer of `look` that is not undefined: asked now and after each record. Rejects when aborted. */
  until: <T>(look: () => T | undefined, signal: AbortSignal) => Promise<T>
  close: () => Promise<void>
}

export async function openJournal(session: KafkaSession, terminal: Terminal): Promise<Journal> {
  const { kafka, topics, topicPrefix } = session
  if (!(await hasTopic(kafka, topics.audit)))
    throw new Error(`Topic ${topics.audit} is missing. Make it with: operator topics apply`)
  const jobs = new Map<string, Job>()
  const seen = new Set<string>()
  const looks = new Set<() => void>()
  let died: Error | undefined
  const lookAll = () => {
    for (const look of looks) look()
  }
  const reader = await readTopics({
    kafka,
    topics: [topics.audit],
    groupPrefix: `${topicPrefix}operator.`,
    onDeath(error) {
      died = error
      lookAll()
    },
    onRecord({ value, timestamp }) {
      const read = readEntry(value)
      if (!read) return
      applyRecord(jobs, { at: timestamp, who: read.who, entry: read.entry })
      seen.add(read.token)
      lookAll()
    },
  })
  await reader.caughtUp.catch(async (error) => {
    await reader.stop()
    throw error
  })

  const journal: Journal = {
    job: (id) => jobs.get(id),
    jobs: () => [...jobs.values()],
    async write(command, entry) {
      const token = crypto.randomUUID()
      await audit(session, terminal, command, { ...entry, token }, 'before')
      await journal.until(() => seen.delete(token) || undefined, AbortSignal.timeout(30_000))
    },
    until: (look, signal) =>
      new Promise((resolve, reject) => {
        const settle = () => {
          looks.delete(check)
          signal.removeEventListener('abort', check)
        }
        const check = () => {
          const found = look()
          if (found === undefined && !signal.aborted && !died) return
          settle()
          if (found !== undefined) resolve(found)
          else reject(died ?? signal.reason)
        }
        looks.add(check)
        signal.addEventListener('abort', check)
        check()
      }),
    close: reader.stop,
  }
  return journal
}

/** An entry of a replay in an audit record; undefined for all others. */
function readEntry(value: Buffer | null): { who: string; entry: JobEntry; token: string } | undefined {
  try {
    const { who, changes } = JSON.parse(value?.toString('utf8') ?? '') as { who: string; changes: JobEntry & { token: string } }
    if (typeof changes?.replay !== 'string' || typeof changes.phase !== 'string') return undefined
    const { token, ...entry } = changes
    return { who, entry, token }
  } catch {
    return undefined
  }
}
