/** What one event costs merchant-sync to match, with few merchants and with many: looked up by id, so that their number must not count. */
import { measureFanOut, registryOfSize } from '../merchant-sync/measure-fan-out.ts'
import type { Bench, Figure } from './bench.ts'

const few = 100
const sizes = [1_000, 10_000, 100_000]

export const fanOut: Bench = {
  name: 'fan-out',
  about: 'CPU of merchant-sync to check and match one event and make its sync, by how many merchants are registered',
  async run({ repeat }) {
    const registries = new Map([few, ...sizes].map((size) => [size, registryOfSize(size)]))
    const found = new Map<number, number[]>([...registries.keys()].map((size) => [size, []]))
    for (let n = 0; n < repeat; n++) for (const [size, registry] of registries) found.get(size)?.push(measureFanOut(registry))
    const of = (size: number) => found.get(size) as number[]
    const figures = sizes.map(
      (size): Figure => ({
        name: `fan-out/${size}`,
        what: `an event, ${size} merchants`,
        unit: 'µs',
        values: of(size),
        ceiling: { what: `${few} merchants`, values: of(few) },
        goals: [],
      }),
    )
    return { figures }
  },
}
