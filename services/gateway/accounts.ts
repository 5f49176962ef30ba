import type { KeyObject } from 'node:crypto'
import { resolve } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import { createKeyReader, type Findings, type KeyReader } from './account-keys.ts'
import { type AccountsFile, checkShape } from './accounts-schema.ts'
import type { VerifyingKey } from './rsa-keys.ts'
import { type FileRead, readTracked } from './tracked-file.ts'

/** Active keys by version. Retired ones are not here: they are refused like any unknown one. */
export type Client = { keys: Map<string, VerifyingKey> }
export type AnswerKey = { keyVersion: string; key: KeyObject }
export type AlipayPlusAccounts = { path: string; signing: AnswerKey; clients: Map<string, Client> }

export type BluePayAccount = { account: string; merchantId: string; style: 'param' | 'flat'; zone?: string; keys: VerifyingKey[] }
export type BluePayAccounts = { path: string; byPathId: Map<string, BluePayAccount> }

/** Who may send, and by which keys: one consistent reading of the accounts file and of the key files it names. */
export type Accounts = {
  development: boolean
  alipayplus?: AlipayPlusAccounts
  bluepay?: BluePayAccounts
  /** The file and every key file it names, as they were read. */
  reads: FileRead[]
  /** Legal, but worth a line in the log. */
  warnings: string[]
}

/** Every mistake in one message. `reads`: a change in any of these files may mend it. */
export class AccountsError extends Error {
  readonly reads: FileRead[]
  constructor(file: string, { mistakes, reads }: Findings) {
    super(`Accounts file ${file}:\n${mistakes.map((mistake) => `  ${mistake}`).join('\n')}`)
    this.reads = reads
  }
}

/** An id of 128 random bits has fewer distinct characters than this once in 10^10. */
const minDistinctCharacters = 8

/** Reads the accounts file (YAML or JSON). Throws AccountsError; neither it nor a warning ever quotes a value. */
export function loadAccounts(file: string): Accounts {
  const findings: Findings = { mistakes: [], warnings: [], reads: [] }
  const { mistakes, warnings, reads } = findings
  const content = parseYaml(resolve(file), findings)
  const shape = mistakes.length > 0 ? { mistakes: [] } : checkShape(content)
  if ('mistakes' in shape) {
    mistakes.push(...shape.mistakes)
    throw new AccountsError(file, findings)
  }
  const { alipayplus, bluepay, development = false } = shape.file
  const keys = createKeyReader(file, findings)
  const accounts: Accounts = { development, reads, warnings }
  if (alipayplus) accounts.alipayplus = readAlipayPlus(alipayplus, development, keys, mistakes)
  if (bluepay) accounts.bluepay = readBluePay(bluepay, development, keys, mistakes)
  if (alipayplus && bluepay && `${alipayplus.path}/`.startsWith(`${bluepay.path}/`)) {
    mistakes.push('/alipayplus/path lies under /bluepay/path')
  }
  if (mistakes.length > 0) throw new AccountsError(file, findings)
  return accounts
}

function readAlipayPlus(
  { path, signing, clients }: NonNullable<AccountsFile['alipayplus']>,
  development: boolean,
  read: KeyReader,
  mistakes: string[],
): AlipayPlusAccounts {
  const key = read.signingKey('/alipayplus/signing', signing)
  const byId = new Map<string, Client>()
  for (const [index, { clientId, keys }] of clients.entries()) {
    const place = `/alipayplus/clients/${index}`
    if (byId.has(clientId)) mistakes.push(`${place} has the clientId of an earlier one`)
    if (new Set(keys.map(({ version }) => version)).size < keys.length) mistakes.push(`${place} has a key version twice`)
    const active = new Map<string, VerifyingKey>()
    for (const [at, entry] of keys.entries()) {
      const found = read.verifyingKey(`${place}/keys/${at}`, entry, development)
      if (found && entry.state === 'active') active.set(entry.version, found)
    }
    byId.set(clientId, { keys: active })
  }
  // Without a key a mistake was noted, and what is returned here is thrown away.
  return { path, signing: { keyVersion: signing.keyVersion, key: key as KeyObject }, clients: byId }
}

function readBluePay(
  { path, accounts }: NonNullable<AccountsFile['bluepay']>,
  development: boolean,
  read: KeyReader,
  mistakes: string[],
): BluePayAccounts {
  const names = new Set<string>()
  const byPathId = new Map<string, BluePayAccount>()
  for (const [index, { pathId, keys, ...account }] of accounts.entries()) {
    const place = `/bluepay/accounts/${index}`
    if (names.has(account.account)) mistakes.push(`${place} has the account name of an earlier one`)
    if (byPathId.has(pathId)) mistakes.push(`${place} has the pathId of an earlier one`)
    if (new Set(pathId).size < minDistinctCharacters) mistakes.push(`${place}/pathId is no random id of 128 bits or more`)
    names.add(account.account)
    const found = keys.map((entry, at) => read.verifyingKey(`${place}/keys/${at}`, entry, development))
    byPathId.set(pathId, {
      ...account,
      keys: found.filter((key, at) => key !== undefined && keys[at]?.state === 'active') as VerifyingKey[],
    })
  }
  return { path, byPathId }
}

/** YAML (JSON is a part of it). The parser's own messages quote the source, so only its codes and lines are passed on. */
function parseYaml(file: string, { mistakes, reads }: Findings): unknown {
  const lines = new LineCounter()
  try {
    const document = parseDocument(readTracked(file, reads), { prettyErrors: false, lineCounter: lines, logLevel: 'error' })
    for (const { code, pos } of document.errors) mistakes.push(`line ${lines.linePos(pos[0]).line}: ${code}`)
    return mistakes.length > 0 ? undefined : document.toJS()
  } catch (error) {
    mistakes.push(`cannot be read (${(error as NodeJS.ErrnoException).code ?? 'not YAML'})`)
    return undefined
  }
}
