/** kafkajs 2.2.4, mended and made faster before it is loaded: the one way to it. */
import './produce-encoding.ts'
import './record-decoding.ts'
import './guards.ts'

export type * from 'kafkajs'
export { default as kafkajs } from 'kafkajs'
