import { readFile } from 'node:fs/promises'
import { type Command, InvalidArgumentError } from 'commander'
import type { TokenEvent } from '../../../shared/contracts/types.ts'
import { checkTokenEvent } from '../../../shared/contracts/validate.ts'
import { createRangeReader } from '../../../shared/kafka/range-reader.ts'
import { openTopicFacts } from '../../../shared/kafka/topic-facts.ts'
import { table } from '../answer.ts'
import { type CommonOptions, defineCommand, type Frame, positiveInteger, wholeNumber } from '../command.ts'
import { type KafkaSession, openKafka } from '../kafka-session.ts'
import { createProgress } from '../progress.ts'
import { explain, whyNobody } from './match.ts'
import { readRegistry } from './registry-topic.ts'
import { findUnmatched, type UnmatchedEvent } from './unmatched.ts'

type MatchOptions = CommonOptions & { merchant?: string[]; version?: number }
type UnmatchedOptions = CommonOptions & { from?: number; to?: number; limit: number }

/** `operator merchants match|unmatched`: who would get an event and who not, and which events nobody got. Nothing is written. */
export function addMatchCommands(merchants: Command, { terminal, perform }: Frame): void {
  defineCommand(merchants, 'match', {
    summary: 'show which subscriptions would get an event, and why the others would not',
    examples: [
      'merchants match event.json',
      'merchants match token-events.v1/3/1728 --merchant M-1001',
      'merchants match token-events.v1/3/1728 --version 17',
    ],
    details:
      'Shows the subscriptions of every merchant that the event concerns, by merchant id or auth client id. Why not: disabled, type, provider,\n' +
      'wallet (pspId), channel (channel.code): each filter that it does not pass.',
  })
    .argument('<event>', 'a file with one token event (- is standard input), or its position topic/partition/offset')
    .option('--merchant <ids...>', 'ask about these merchants, whether or not it concerns them')
    .option('--version <offset>', 'by the registry as of this offset, as a sync records it (default: as it is now)', wholeNumber)
    .action(
      perform(async (from: string, { merchant, version }: MatchOptions) => {
        const session = openKafka(terminal)
        const event = await readEvent(session, from, terminal.input)
        const { registry } = await readRegistry(session, { through: version })
        if (version !== undefined && registry.offset() < version)
          throw new Error(`The registry has no version ${version}; its latest is ${registry.offset()}`)
        const candidates = explain(registry, event, merchant)
        const rows = candidates.map(({ merchantId, subscriptionId = '', refusals }) => [
          merchantId,
          subscriptionId,
          refusals.length === 0 ? 'gets it' : 'does not',
          refusals.join(', '),
        ])
        const shown =
          rows.length > 0 ? table(['merchant', 'subscription', '', 'why not'], rows) : `Nobody: ${whyNobody(candidates)}.`
        const text = `${shown}\nBy version ${registry.offset()} of the registry.`
        return { fulfilled: true, document: { registryOffset: registry.offset(), candidates }, text }
      }),
    )

  defineCommand(merchants, 'unmatched', {
    summary: 'find the events that no merchant got, and why',
    examples: ['merchants unmatched --from 2026-11-22T05:00:00Z', 'merchants unmatched --json | jq .unmatched'],
    details:
      'An event that nobody wants leaves no record, only a count (stage_records_total, outcome dropped). This compares the events that\n' +
      'merchant-sync has decided with its syncs, and explains by the registry as it was when the notification was received.',
  })
    .option('--from <time>', 'received at or after this instant (default: as far back as syncs are kept)', instant)
    .option('--to <time>', 'received before this instant (default: now)', instant)
    .option('--limit <count>', 'how many to list; all are counted', positiveInteger, 100)
    .action(
      perform(async ({ from = 0, to, limit }: UnmatchedOptions) => {
        const now = terminal.now()
        const progress = createProgress(terminal.screen, 'events', undefined)
        const query = { from, to: to ?? Number.POSITIVE_INFINITY, limit, now, onRead: progress.advance }
        const found = await findUnmatched(openKafka(terminal), query).finally(progress.end)
        const rows = found.listed.map((one) => [one.position, one.receivedAt, one.event?.type ?? '', why(one)])
        const since = found.from > 0 ? ` since ${new Date(found.from).toISOString()}` : ''
        const text = [
          `${found.unmatched} of ${found.events} events${since} have no sync${found.undecided > 0 ? `; ${found.undecided} wait to be decided` : ''}.`,
          ...(rows.length > 0 ? [table(['position', 'received', 'type', 'why'], rows)] : []),
          ...(found.unmatched > rows.length ? [`… and ${found.unmatched - rows.length} more (--limit)`] : []),
        ]
        const document = { ...found, from: new Date(found.from).toISOString() }
        return { fulfilled: true, document, text: text.join('\n') }
      }),
    )
}

function why({ candidates, wantedNow }: UnmatchedEvent): string {
  if (!candidates) return 'it is no token event: a dead letter of merchant-sync'
  const now = wantedNow.map(({ merchantId, subscriptionId }) => `${merchantId}/${subscriptionId}`)
  return `${whyNobody(candidates)}${now.length > 0 ? ` (now wanted by ${now.join(', ')})` : ''}`
}

async function readEvent(session: KafkaSession, from: string, input: () => Promise<string>): Promise<TokenEvent> {
  const position = new RegExp(`^${RegExp.escape(session.topics.events)}/(\\d{1,9})/(\\d{1,15})$`).exec(from)
  const text = position ? await readAt(session, Number(position[1]), Number(position[2])) : await readText(from, input)
  const checked = checkTokenEvent(parse(text, from))
  if ('mistakes' in checked) throw new Error(`${from} is no token event: ${checked.mistakes.join('; ')}`)
  return checked.value
}

const readText = (file: string, input: () => Promise<string>) => (file === '-' ? input() : readFile(file, 'utf8'))

async function readAt({ kafka, topics, topicPrefix }: KafkaSession, partition: number, offset: number): Promise<string> {
  const where = `${topics.events}/${partition}`
  const facts = await openTopicFacts(kafka)
  const { low, high } = await facts.bounds(topics.events, partition).finally(() => facts.close())
  if (offset < low || offset >= high) throw new Error(`${where} has offsets ${low} to ${high - 1}, not ${offset}`)
  let text: string | undefined
  await createRangeReader({ kafka, topic: topics.events, groupPrefix: `${topicPrefix}operator.` })({
    partition,
    from: offset,
    to: offset + 1,
    async onRecords(records) {
      text = records[0]?.value?.toString('utf8') ?? text
    },
  })
  if (text === undefined) throw new Error(`${where}/${offset} holds no event: Kafka uses some offsets for its transactions`)
  return text
}

function parse(text: string, from: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(`${from} is not JSON`)
  }
}

function instant(text: string): number {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text) || Number.isNaN(Date.parse(text)))
    throw new InvalidArgumentError('An instant with its zone is needed, like 2026-11-22T05:00:00Z.')
  return Date.parse(text)
}
