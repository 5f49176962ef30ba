import { commonEnv, type Env, type EnvProperties, kafkaEnv } from '../../shared/runtime/env.ts'

const mebibyte = 1024 * 1024

/** Everything the gateway reads from its environment; `deploy/example.env` lists it. */
export const gatewayEnv = {
  ...commonEnv,
  ...kafkaEnv,
  GATEWAY_HOST: {
    type: 'string',
    default: '127.0.0.1',
    description: 'Address that takes notifications; 0.0.0.0 inside a container. TLS ends before it.',
  },
  GATEWAY_PORT: {
    type: 'integer',
    minimum: 0,
    maximum: 65535,
    default: 8080,
    description: 'Port that takes notifications; 0 takes a free one and logs it.',
  },
  GATEWAY_PROCESSES: {
    type: 'integer',
    minimum: 1,
    maximum: 64,
    default: 1,
    description: 'Processes behind the port, one a core; limits of connections, bytes and rates hold in each of them.',
  },
  ACCOUNTS_FILE: {
    type: 'string',
    minLength: 1,
    description:
      'YAML or JSON file with providers, clients, accounts, their public keys and our signing key; read again on SIGHUP and on change.',
  },
  RAW_PUBLIC_KEYS_FILE: {
    type: 'string',
    minLength: 1,
    description: 'JWK set of public keys that raw notifications are sealed to. The gateway needs no key that opens them.',
  },
  IDENTITY_KEY_FILE: {
    type: 'string',
    minLength: 1,
    description:
      'JWK set with the one HMAC key of all ids, refs and partition keys; the same in every service, never rotated in place.',
  },
  FRESHNESS_HOURS: {
    type: 'integer',
    minimum: 25,
    default: 72,
    description:
      'Older Alipay+ requests are refused. Equal to the de-duplication window: an older one would become a second event, and retries (24 h 22 min) may carry their first time.',
  },
  ALIPAYPLUS_DEADLINE_MS: {
    type: 'integer',
    minimum: 100,
    maximum: 4_500,
    default: 3_000,
    description: 'How long Kafka may take before Alipay+ is told to call again; its own limit is 5 s.',
  },
  BLUEPAY_DEADLINE_MS: {
    type: 'integer',
    minimum: 100,
    maximum: 600_000,
    default: 60_000,
    description: 'The same for BluePay, which documents no retry: as long as a sender may wait.',
  },
  MAX_IN_FLIGHT_BYTES: {
    type: 'integer',
    minimum: mebibyte,
    default: 128 * mebibyte,
    description:
      'Request bodies in hand at once; past it the slowest sender is cut off, and if all wait for Kafka a new one is told to call again.',
  },
  MAX_QUEUED_BYTES: {
    type: 'integer',
    minimum: mebibyte,
    default: 64 * mebibyte,
    description: 'Sealed records waiting for Kafka; past it senders are told to call again at once.',
  },
  MAX_CONNECTIONS: {
    type: 'integer',
    minimum: 16,
    default: 4_096,
    description:
      'Open connections; past it the one that has waited longest for its sender is closed. Allow that many file descriptors.',
  },
  MAX_CONNECTIONS_PER_ADDRESS: {
    type: 'integer',
    minimum: 1,
    default: 512,
    description: 'The same per remote address; trusted proxies are exempt, so name yours in TRUSTED_PROXIES.',
  },
  HEADERS_TIMEOUT_MS: { type: 'integer', minimum: 100, default: 5_000, description: 'Time to send the request headers.' },
  REQUEST_TIMEOUT_MS: { type: 'integer', minimum: 100, default: 10_000, description: 'Time to send headers and body.' },
  KEEP_ALIVE_TIMEOUT_MS: {
    type: 'integer',
    minimum: 0,
    default: 65_000,
    description: 'How long an idle connection is kept; longer than the keep-alive of a proxy before it.',
  },
  RATE_LIMIT_PER_CLIENT: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description:
      'Verified notifications a second per client or account; beyond it they are told to call again (BluePay: 429, and it documents no retry). 0: no limit.',
  },
  ALLOWED_ADDRESSES: {
    type: 'string',
    default: '',
    description: 'Addresses and ranges that may call, comma-separated (192.0.2.7, 10.0.0.0/8); others get 403. Empty: all.',
  },
  TRUSTED_PROXIES: {
    type: 'string',
    default: '',
    description:
      'Addresses and ranges of our own proxies. X-Forwarded-For is read only on connections from them, from its right end. They must speak HTTP/1.1 and pass path and body on unchanged.',
  },
} as const satisfies EnvProperties
export type GatewayEnv = Env<typeof gatewayEnv>
