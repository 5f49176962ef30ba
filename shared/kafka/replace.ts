import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** Puts another function in the place of one of kafkajs's own modules, for whoever loads it from now on. */
export function replace<F>(name: string, by: (original: F) => F): void {
  if (require.cache[require.resolve('kafkajs')]?.loaded)
    throw new Error(`kafkajs was loaded before ${name} was replaced: import kafkajs.ts`)
  const path = require.resolve(name)
  const original = require(path) as F
  const loaded = require.cache[path]
  if (!loaded) throw new Error(`${name} is not where version 2.2.4 of kafkajs has it`)
  loaded.exports = by(original)
}
