/** One switch (`KAFKAJS_ENCODING`) for what replaces kafkajs's own encoding and decoding (`produce-encoding.ts`, `record-decoding.ts`). */
let chosen = false

/** Whether kafkajs's own code encodes and decodes from now on. */
export function useKafkajsEncoding(on: boolean): void {
  chosen = on
}
export const usesKafkajsEncoding = (): boolean => chosen
