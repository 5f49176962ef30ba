/** Lets at most `limit` in at a time; the others wait in line. */
export function createGate(limit: number) {
  const line: (() => void)[] = []
  let inside = 0
  const enter = async () => {
    if (inside < limit) inside++
    else await new Promise<void>((resolve) => line.push(resolve))
  }
  const leave = () => {
    const next = line.shift()
    if (next) next()
    else inside--
  }
  return {
    /** Waits for a place, which `leave` gives back. */
    enter,
    leave,
    async pass<T>(work: () => Promise<T>): Promise<T> {
      await enter()
      try {
        return await work()
      } finally {
        leave()
      }
    },
  }
}
