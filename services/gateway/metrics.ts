import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** What the gateway counts. Labels are providers and outcomes only: never a client, account, merchant or path. */
export function createMetrics(registry: Registry, inFlightBytes: () => number) {
  const registers = [registry]
  return {
    requests: new Counter({
      name: 'gateway_requests_total',
      help: 'Requests by provider and how they ended; provider is none where the path is neither one’s.',
      labelNames: ['provider', 'result'],
      registers,
    }),
    seconds: new Histogram({
      name: 'gateway_accepted_seconds',
      help: 'From the end of the body to the broker’s acknowledgement.',
      labelNames: ['provider'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60],
      registers,
    }),
    signatureChecks: new Counter({
      name: 'gateway_signature_checks_total',
      help: 'RSA verifications by size of the signature.',
      labelNames: ['bits'],
      registers,
    }),
    verifyFailures: new Counter({
      name: 'gateway_verify_failures_total',
      help: 'Requests that did not verify.',
      labelNames: ['provider'],
      registers,
    }),
    staleRequests: new Counter({
      name: 'gateway_stale_requests_total',
      help: 'Verified requests that were signed more than five minutes ago (a late retry, or a replay), accepted or not.',
      labelNames: ['provider'],
      registers,
    }),
    inFlightBytes: new Gauge({
      name: 'gateway_in_flight_bytes',
      help: 'Bytes of request bodies in hand.',
      registers,
      collect() {
        this.set(inFlightBytes())
      },
    }),
    connections: new Gauge({ name: 'gateway_connections', help: 'Open connections.', registers }),
    connectionsCut: new Counter({
      name: 'gateway_connections_cut_total',
      help: 'Connections closed because there were too many, or because what came was no HTTP/1.1.',
      labelNames: ['reason'],
      registers,
    }),
    accountsReloads: new Counter({
      name: 'gateway_accounts_reloads_total',
      help: 'Readings of a changed accounts file; refused: it was broken and the one before stays in force.',
      labelNames: ['result'],
      registers,
    }),
  }
}
export type Metrics = ReturnType<typeof createMetrics>
