import { isDeepStrictEqual } from 'node:util'

/** Say something and demand nothing. */
const annotations = new Set(['$schema', '$comment', 'title', 'description', 'examples', 'default', 'deprecated'])
/** Hold schemas by name. */
const named = new Set(['properties', '$defs'])

/**
 * Every way in which a schema of today differs from a published one of the same major version, other than by optional additions. Both
 * directions count: today's readers must read what was written then (no narrowing), and those of then what is written today (no widening,
 * nothing that they rely on left out). Types and members may be added, and words changed.
 */
export function breakingChanges(then: unknown, now: unknown, path = ''): string[] {
  if (Array.isArray(then) || !isObject(then) || !isObject(now)) {
    return isDeepStrictEqual(then, now) ? [] : [`${path} was ${JSON.stringify(then)} and is ${JSON.stringify(now)}`]
  }
  const keywords = new Set([...Object.keys(then), ...Object.keys(now)].filter((keyword) => !annotations.has(keyword)))
  return [...keywords].flatMap((keyword) => {
    const at = `${path}/${keyword}`
    if (!(keyword in now)) return [`${at} is gone`]
    if (keyword === 'required') return requiredChanges(then[keyword], now[keyword], at)
    if (named.has(keyword)) return namedChanges(then[keyword] ?? {}, now[keyword], at)
    if (!(keyword in then)) return [`${at} is new: it demands what v1 did not`]
    return breakingChanges(then[keyword], now[keyword], at)
  })
}

function namedChanges(then: unknown, now: unknown, path: string): string[] {
  if (!isObject(then) || !isObject(now)) return [`${path} must hold schemas by name`]
  return Object.entries(then).flatMap(([name, schema]) =>
    name in now ? breakingChanges(schema, now[name], `${path}/${name}`) : [`${path}/${name} is gone: v1 readers may rely on it`],
  )
}

function requiredChanges(then: unknown, now: unknown, path: string): string[] {
  const [before, after] = [then ?? [], now] as [string[], string[]]
  return [
    ...after.filter((name) => !before.includes(name)).map((name) => `${path}: ${name} is new: v1 writers left it out`),
    ...before.filter((name) => !after.includes(name)).map((name) => `${path}: ${name} is gone: v1 readers rely on it`),
  ]
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
