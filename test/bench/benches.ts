import type { Bench } from './bench.ts'
import { claims } from './claims.ts'
import { drain } from './drain.ts'
import { endToEnd } from './end-to-end.ts'
import { rebuild } from './rebuild.ts'
import { stages } from './stages.ts'

/** In the order of the report. */
export const benches: Bench[] = [stages, drain, claims, endToEnd, rebuild]
