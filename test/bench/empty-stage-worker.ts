/** The ceiling of a stage, as a process like a service: the same loop, slots and transactions around a step that does nothing but hand on. */
import { stageNames } from '../../shared/contracts/topics.ts'
import { createKafka } from '../../shared/kafka/client.ts'
import { type EnvProperties, readEnv } from '../../shared/runtime/env.ts'
import { runService } from '../../shared/runtime/service.ts'
import { stageEnv } from '../../shared/stage/env.ts'
import { emit } from '../../shared/stage/outcome.ts'
import { runStage } from '../../shared/stage/run-stage.ts'
import type { Step } from '../../shared/stage/stage.ts'

const emptyStageEnv = {
  ...stageEnv,
  STAGE: { type: 'string', enum: stageNames, description: 'The stage whose ceiling this is.' },
  SOURCES: { type: 'string', description: 'Topics to read, comma-separated.' },
  OUTPUT: { type: 'string', description: 'Topic that gets each record as it is.' },
} as const satisfies EnvProperties

await runService(
  'empty-stage',
  () => readEnv(emptyStageEnv),
  async ({ STAGE: name, SOURCES, OUTPUT: topic, ...env }, { log, fail, metrics }) => {
    const step: Step = {
      decide: async ({ records }) =>
        records.map(({ key, value, headers }) => emit([{ topic, key: key?.toString() ?? '', value: value ?? '', headers }])),
    }
    const stage = { name, sources: SOURCES.split(','), outputs: [topic], deadLetters: topic, step }
    const kafka = createKafka(env, 'empty-stage', log)
    const group = `${env.TOPIC_PREFIX}empty-stage.${name}`
    return runStage({ stage, kafka, group, slots: env.SLOTS, from: env.FROM, log, fail, metrics })
  },
)
