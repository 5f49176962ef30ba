import type { Bench } from './bench.ts'
import { claims } from './claims.ts'
import { drain } from './drain.ts'
import { endToEnd } from './end-to-end.ts'
import { fanOut } from './fan-out.ts'
import { gatewayBench } from './gateway.ts'
import { gatewayCpu } from './gateway-cpu.ts'
import { gatewayDown } from './gateway-down.ts'
import { latency } from './latency.ts'
import { publisher } from './publisher.ts'
import { rebuild } from './rebuild.ts'
import { scaling } from './scaling.ts'
import { stages } from './stages.ts'

/** In the order of the report. */
export const benches: Bench[] = [
  gatewayBench('gateway', 'alipayplus'),
  gatewayBench('gateway-bluepay', 'bluepay'),
  gatewayCpu,
  publisher,
  latency,
  stages,
  drain,
  fanOut,
  claims,
  endToEnd,
  rebuild,
  gatewayDown,
  scaling,
]
