import type { Answer } from '../answer.ts'
import type { KafkaSession } from '../kafka-session.ts'
import type { Terminal } from '../terminal.ts'
import { isSilent, type Job } from './jobs.ts'
import { openJournal } from './journal.ts'

/** Longer than any write takes that a replay is in the middle of. */
const answerMs = 60_000

/** Asks the process of a replay to stop, wherever it is, and waits until it has. */
export async function stopJob(session: KafkaSession, terminal: Terminal, id: string, dryRun: boolean): Promise<Answer> {
  const journal = await openJournal(session, terminal)
  try {
    const job = journal.job(id)
    if (!job) throw new Error(`There is no replay ${id}: operator replay status shows all`)
    if (job.state !== 'running') throw new Error(`${id} does not run any more: ${job.state}`)
    if (isSilent(job, terminal.now()))
      throw new Error(
        `${id} has said nothing since ${new Date(job.heardAt).toISOString()}: its process is dead, or cut off from Kafka. operator replay run --resume ${id} goes on`,
      )
    if (dryRun) return { fulfilled: true, document: { id, dryRun }, text: `${id} would be stopped.` }
    await journal.write('replay stop', { replay: id, phase: 'stop' })
    const over = () => (journal.job(id)?.state === 'running' ? undefined : (journal.job(id) as Job))
    const ended = await journal.until(over, AbortSignal.timeout(answerMs)).catch(() => {
      throw new Error(
        `${id} was asked to stop and has not answered in ${answerMs / 1000} s: operator replay status shows when it does`,
      )
    })
    const { state, written } = ended
    return {
      fulfilled: true,
      document: { id, state, written },
      text: `${id} ${state === 'ended' ? 'had ended' : 'stopped'}; ${written} records are written.`,
    }
  } finally {
    await journal.close()
  }
}
