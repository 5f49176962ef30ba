/** Work in a process of its own, so that what measures takes nothing from what is measured: one question, one answer, and it ends. */
import { fork } from 'node:child_process'
import { join } from 'node:path'

/** Runs `file` (of this folder) with an input and resolves with its answer. Rejects when it ends without one; its words went to standard error. */
export function inWorker<Answer>(file: string, input: object): Promise<Answer> {
  const worker = fork(join(import.meta.dirname, file), { execArgv: ['--disable-warning=ExperimentalWarning'] })
  return new Promise((resolve, reject) => {
    worker.once('message', (answer) => resolve(answer as Answer))
    worker.once('exit', (code, signal) => reject(new Error(`${file} ended with ${signal ?? code} before it answered`)))
    worker.send(input)
  })
}

/** The worker's side: does the work for the input that comes, answers, ends. It ends as well when its parent does. */
export function answerParent<Input>(work: (input: Input) => Promise<object>): void {
  process.once('disconnect', () => process.exit())
  process.once('message', async (input) => {
    const answer = await work(input as Input)
    process.send?.(answer, () => process.exit())
  })
}
