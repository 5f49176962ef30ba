import { alipayplusAcknowledgement, judgeAlipayplus } from '../simulator/alipayplus-wire.ts'
import { bluepayAcknowledgement, judgeBluepay } from '../simulator/bluepay-wire.ts'
import type { HttpAnswer } from '../simulator/http.ts'
import type { Verdict } from '../simulator/verdict.ts'
import type { Expectation, Kit } from './case.ts'

const got = ({ status, body }: HttpAnswer) => `answered HTTP ${status} ${body.slice(0, 160)}`
const first = (answers: HttpAnswer[], wrong: (answer: HttpAnswer) => string | undefined) =>
  answers.map(wrong).find((mistake) => mistake !== undefined) ?? (answers.length === 0 ? 'no answer' : undefined)

const acknowledgedBy = (answers: HttpAnswer[], judge: (answer: HttpAnswer) => Verdict) =>
  first(answers, (answer) => {
    const { result, mistakes } = judge(answer)
    return result === 'acknowledged' ? mistakes[0] : got(answer)
  })

/** The answer of each provider's page, to the letter; Alipay+'s signed, with the key that its client knows. */
export const acknowledged: Record<'alipayplus' | 'bluepay', Expectation> = {
  alipayplus: {
    says: `200 ${alipayplusAcknowledgement}, signed`,
    // An answer names its client; all clients know the same answering key.
    wrong: (answers, { alipayplus }) =>
      acknowledgedBy(answers, (answer) => {
        const isActives = answer.headers['client-id'] === alipayplus.active.clientId
        return judgeAlipayplus(isActives ? alipayplus.active : alipayplus.single, answer)
      }),
  },
  bluepay: { says: `200 ${bluepayAcknowledgement}`, wrong: (answers) => acknowledgedBy(answers, judgeBluepay) },
}

/** One and the same for unknown client, unknown key and bad signature (`design.md` §4). */
export const unverified: Record<'alipayplus' | 'bluepay', Expectation> = {
  alipayplus: {
    says: '200 with F INVALID_SIGNATURE, unsigned',
    wrong: (answers, { alipayplus }) =>
      first(answers, (answer) => {
        const { result, code } = judgeAlipayplus(alipayplus.active, answer)
        if (answer.status !== 200 || result !== 'refused' || code !== 'INVALID_SIGNATURE') return got(answer)
        return answer.headers.signature ? 'the answer is signed' : undefined
      }),
  },
  bluepay: {
    says: '401 with a code other than 10000',
    wrong: (answers) => first(answers, (answer) => (answer.status === 401 ? refusedByBluepay(answer) : got(answer))),
  },
}

const refusedByBluepay = (answer: HttpAnswer) => {
  const { result, mistakes } = judgeBluepay(answer)
  return result === 'refused' ? mistakes[0] : got(answer)
}

/** Refused in the provider's own words, whichever. */
export const refused: Record<'alipayplus' | 'bluepay', Expectation> = {
  alipayplus: {
    says: 'F, whichever code',
    wrong: (answers, kit) => first(answers, (answer) => refusedByAlipayplus(answer, kit)),
  },
  bluepay: {
    says: '400 or 401 with a code other than 10000',
    wrong: (answers) => first(answers, (answer) => ([400, 401].includes(answer.status) ? refusedByBluepay(answer) : got(answer))),
  },
}

const refusedByAlipayplus = (answer: HttpAnswer, { alipayplus }: Kit) => {
  const { result, mistakes } = judgeAlipayplus(alipayplus.active, answer)
  return result === 'refused' ? mistakes[0] : got(answer)
}

/** No notification at all: an HTTP status, and never an acknowledgement. */
export const withStatus = (...statuses: number[]): Expectation => ({
  says: statuses.join(' or '),
  wrong: (answers) =>
    first(answers, (answer) => (statuses.includes(answer.status) && !isAcknowledgement(answer) ? undefined : got(answer))),
})

/** What HTTP itself forbids: 4xx, or the connection closed without a word. */
export const cutOff: Expectation = {
  says: '4xx, or closed without an answer',
  wrong: (answers) =>
    first(answers, (answer) =>
      (answer.status === 0 || (answer.status >= 400 && answer.status < 500)) && !isAcknowledgement(answer)
        ? undefined
        : got(answer),
    ),
}

const isAcknowledgement = ({ body }: HttpAnswer) => /"resultStatus"\s*:\s*"S"|"code"\s*:\s*10000/.test(body)

/** Nobody can tell from the answers which of the reasons it was. */
export const alike: Expectation = {
  says: 'the same status, headers and body for all',
  wrong: (answers) => {
    const forms = answers.map(({ status, headers: { date: _, ...rest }, body }) => JSON.stringify([status, rest, body]))
    return new Set(forms).size === 1 ? undefined : `the answers differ: ${[...new Set(forms)].join(' / ').slice(0, 300)}`
  },
}

/** An answer in a few words: its status, and the code in its body. */
export function describeAnswer({ status, headers, body }: HttpAnswer): string {
  const code = /"(?:resultCode|code)"\s*:\s*"?(\w+)/.exec(body)?.[1]
  return [status === 0 ? 'closed' : status, code, headers.signature ? 'signed' : undefined].filter(Boolean).join(' ')
}
