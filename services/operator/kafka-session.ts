import { type Topics, topicNames } from '../../shared/contracts/topics.ts'
import { appendRecords } from '../../shared/kafka/append.ts'
import { createKafka, type Kafka, type KafkaEnv } from '../../shared/kafka/client.ts'
import { readEnv } from '../../shared/runtime/env.ts'
import { describeError, type Log } from '../../shared/runtime/log.ts'
import { UsageError } from './answer.ts'
import { operatorEnv } from './env.ts'
import type { Terminal } from './terminal.ts'

/** Kafka as a command sees it. */
export type KafkaSession = { kafka: Kafka; topics: Topics; topicPrefix: string }

/** Opens Kafka as the environment says; a wrong environment is a usage error that names every problem. */
export function openKafka(terminal: Terminal): KafkaSession {
  let env: KafkaEnv
  try {
    env = readEnv(operatorEnv, terminal.env)
  } catch (error) {
    throw new UsageError(describeError(error))
  }
  const topics = topicNames(env.TOPIC_PREFIX)
  return { kafka: createKafka(env, 'operator', errorsOnly(terminal)), topics, topicPrefix: env.TOPIC_PREFIX }
}

/**
 * One record of who changed what, when, in the audit topic. The command line holds no secret by design: no option takes one, only
 * paths of files. `before`: what is never to happen unrecorded is recorded as what is about to be done.
 */
export async function audit(
  session: KafkaSession,
  terminal: Terminal,
  command: string,
  changes: unknown,
  when: 'before' | 'after' = 'after',
): Promise<void> {
  const at = new Date(terminal.now()).toISOString()
  const value = JSON.stringify({ at, who: terminal.who, command, args: terminal.args, changes })
  try {
    await appendRecords(session.kafka, [{ topic: session.topics.audit, key: command, value }])
  } catch (error) {
    const outcome = when === 'before' ? 'nothing was done, because it could not be' : 'done, but not'
    throw new Error(`${command}: ${outcome} recorded in ${session.topics.audit}: ${describeError(error)}`)
  }
}

/**
 * For changes outside Kafka (key files): recorded where Kafka is configured. What was done stands either way, so a failure to record it
 * is said, not thrown.
 */
export async function auditIfConfigured(
  terminal: Terminal,
  command: string,
  changes: unknown,
): Promise<{ recorded: boolean; text: string }> {
  if (!terminal.env.KAFKA_BROKERS) return { recorded: false, text: 'Not in the audit trail: KAFKA_BROKERS is not set.' }
  try {
    await audit(openKafka(terminal), terminal, command, changes)
    return { recorded: true, text: 'Recorded in the audit trail.' }
  } catch (error) {
    return { recorded: false, text: `Not in the audit trail: ${describeError(error)}` }
  }
}

/** kafkajs warns about every broker that it cannot reach yet; a command has its own last word on that. */
function errorsOnly(terminal: Terminal): Log {
  const silent = () => {}
  return { debug: silent, info: silent, warn: silent, error: (event, { reason } = {}) => terminal.err(`${event}: ${reason}\n`) }
}
