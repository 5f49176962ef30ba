import { type CloudEvent, Kafka } from 'cloudevents'

/** What the CloudEvents SDK makes of a record in Kafka binary mode. Throws if it is no valid CloudEvent. */
export function readCloudEvent(headers: Record<string, string>, value: string): CloudEvent<unknown> {
  const read = Kafka.toEvent<unknown>({ headers, key: 'key', value, body: value } as Parameters<typeof Kafka.toEvent>[0])
  const event = (Array.isArray(read) ? read[0] : read) as CloudEvent<unknown>
  event.validate()
  return event
}
