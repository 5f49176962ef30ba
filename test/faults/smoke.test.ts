/** The short run of the fault tool: one fault of each sort on three brokers, and the offline checker over all that it left. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startOwned } from '../../deploy/local/owned-process.ts'
import { nodeBinary } from '../../deploy/local/run-operator.ts'
import { localDir, projectRoot } from '../../deploy/local/start-stack.ts'
import type { RunReport } from './report.ts'

t.test('a short run of faults on three brokers: each bites, nothing is lost, nothing doubled', async (t) => {
  const logFile = join(localDir, 'test/logs/faults.log')
  const args = [join(projectRoot, 'test/faults/main.ts'), '--smoke', '--json', '--rate', '60', '--seed', '1']
  const run = await startOwned({ name: 'faults', command: nodeBinary, args, logFile })
  t.teardown(() => run.stop(60_000))
  const { code } = await run.exited
  const output = readFileSync(logFile, 'utf8')
  const last = output.split('\n').findLast((line) => line.startsWith('{"seed"'))
  if (!last) throw new Error(`No report (exit code ${code}):\n${output.slice(-3_000)}`)
  const { results, check } = JSON.parse(last) as RunReport
  for (const { name, failure, proof } of results) t.equal(failure, undefined, `${name}: ${proof}`)
  t.ok(results.length >= 6, `${results.length} faults`)
  t.strictSame(check.problems, [], 'the offline checker found nothing')
  const { figures } = check
  t.equal(figures.raw, figures.events + figures.duplicates + figures.deadLetters, 'raw = events + duplicates + dead letters')
  t.ok(figures.acknowledged > 1_000 && figures.duplicates > 200, 'there was something to lose and to double')
  t.equal(code, 0)
})
