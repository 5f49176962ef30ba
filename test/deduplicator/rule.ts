/** The rule of de-duplication, in terms of the log alone: ten lines that know no Redis, no crash and no clock. The oracle of the tests. */
export type LogRecord = { timestamp: number; id: number; cancel?: number }
export type Expected = { duplicateOf: number | undefined; late: boolean }

export function judgeByRule(log: LogRecord[], windowMs: number): Expected[] {
  let logTime = 0
  const claims = new Map<number, { holder: number; seen: number }>()
  return log.map(({ timestamp, id, cancel }, offset) => {
    logTime = Math.max(logTime, timestamp)
    const claim = claims.get(id)
    const duplicate = claim !== undefined && logTime - claim.seen <= windowMs
    const holder = duplicate ? claim.holder : offset
    const canceled = cancel === undefined ? undefined : claims.get(cancel)
    claims.set(id, { holder, seen: logTime })
    return { duplicateOf: duplicate ? holder : undefined, late: canceled !== undefined && logTime - canceled.seen <= windowMs }
  })
}
