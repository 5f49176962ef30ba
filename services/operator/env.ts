import { kafkaEnv } from '../../shared/runtime/env.ts'

/** What the commands that talk to Kafka read; the others read nothing, except that changes are audited where Kafka is configured. */
export const operatorEnv = kafkaEnv
