import type { Bench } from './bench.ts'
import { claims } from './claims.ts'
import { rebuild } from './rebuild.ts'

/** In the order of the report. */
export const benches: Bench[] = [claims, rebuild]
