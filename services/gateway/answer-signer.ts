import { constants, sign } from 'node:crypto'
import type { AnswerKey } from './accounts.ts'

/** A flood of clients within one second must not fill the memory; past this, signatures are computed and not kept. */
const maxKept = 10_000

/**
 * Signs Alipay+ answers (`providers.md` §2.2, §2.3): over the path of the *request*, with `Response-Time`. RSA PKCS#1 v1.5 is deterministic and
 * the time has seconds, so one signature per (client, body, second) serves any rate; those of the last second are forgotten.
 */
export function createAnswerSigner(path: string, signing: AnswerKey) {
  const kept = new Map<string, string>()
  let keptSecond = ''

  return (clientId: string, body: string, now: number): Record<string, string> => {
    const responseTime = `${new Date(now).toISOString().slice(0, 19)}Z`
    if (responseTime !== keptSecond) {
      kept.clear()
      keptSecond = responseTime
    }
    const signed = `${clientId}.${responseTime}.${body}`
    let signature = kept.get(signed)
    if (signature === undefined) {
      const content = Buffer.from(`POST ${path}\n${signed}`)
      signature = encodeURIComponent(
        sign('sha256', content, { key: signing.key, padding: constants.RSA_PKCS1_PADDING }).toString('base64'),
      )
      if (kept.size < maxKept) kept.set(signed, signature)
    }
    return {
      'Client-Id': clientId,
      'Response-Time': responseTime,
      Signature: `algorithm=RSA256,keyVersion=${signing.keyVersion},signature=${signature}`,
    }
  }
}
