import type { HttpAnswer, HttpRequest } from '../simulator/http.ts'
import type { Random } from '../simulator/random.ts'
import type { AlipayplusSender, BluepaySender } from '../simulator/senders.ts'

/** What a case needs: who it can send as, a way to send, and fresh made-up values, so that a second run repeats no change. */
export type Kit = {
  /** Throws `MissingSender` where simulator.json has none; the case is then skipped. */
  alipayplus: {
    /** An active key, another active key of the same client, a retired one, and a client with one key only. */
    active: AlipayplusSender
    rotated: AlipayplusSender
    retired: AlipayplusSender
    single: AlipayplusSender
  }
  bluepay: { param: BluepaySender; otherParam: BluepaySender; flat: BluepaySender }
  send: (request: HttpRequest) => Promise<HttpAnswer>
  /** Bytes as they are, over a connection of their own; what came back until it was closed, or until the time was over. */
  sendBytes: (chunks: { bytes: string | Buffer; pauseMs?: number }[]) => Promise<RawAnswer>
  random: Random
  now: number
}
export type RawAnswer = { text: string; closed: boolean }

export class MissingSender extends Error {
  constructor(what: string) {
    super(`simulator.json has no ${what}`)
  }
}

/** What an answer must be: in words, and as a test that returns what is wrong, or undefined. */
export type Expectation = { says: string; wrong: (answers: HttpAnswer[], kit: Kit) => string | undefined }

export type Case = {
  /** `<provider>/<case>`; `--only` takes the beginning of it. */
  name: string
  /** One sentence: what is sent. */
  title: string
  /** Meant to be refused, or to do harm: sent to loopback only, unless told otherwise. */
  hostile: boolean
  expect: Expectation
  exchange: (kit: Kit) => Promise<HttpAnswer[]>
}

/** A group of cases by name: `[title, request or exchange]`. */
export type Requests = Record<string, [title: string, request: (kit: Kit) => HttpRequest | HttpRequest[]]>

export function casesOf(group: string, hostile: boolean, expect: Expectation, requests: Requests): Case[] {
  return Object.entries(requests).map(([name, [title, request]]) => ({
    name: `${group}/${name}`,
    title,
    hostile,
    expect,
    exchange: (kit) => Promise.all([request(kit)].flat().map(kit.send)),
  }))
}
