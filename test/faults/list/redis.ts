import type { Fault } from '../fault.ts'
export const redisFaults: Fault[] = []
