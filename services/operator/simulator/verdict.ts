/** What a provider makes of an answer. `call-again`: not stored, says the answer. `code`: the answer's own, or its HTTP status. */
export type Verdict = { result: 'acknowledged' | 'call-again' | 'refused'; code: string; mistakes: string[] }
