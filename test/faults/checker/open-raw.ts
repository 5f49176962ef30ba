import { hash, type JsonWebKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compactDecrypt, importJWK } from 'jose'
import type { RawProvider } from './topic-names.ts'

/** SHA-256 (hex) of the body inside a raw record; undefined when it does not open for this provider and account. */
export type OpenRaw = (provider: RawProvider, account: string, sealed: string) => Promise<string | undefined>

const alg = 'ECDH-ES+A256KW'
export const rawKeyFile = 'raw.private.json'

/** Raw records are compact JWEs; whose they are is bound into the protected header as `ctx`. Throws when the key file is none. */
export async function createOpenRaw(folder: string): Promise<OpenRaw> {
  const file = join(folder, rawKeyFile)
  const keys = new Map(await readKeys(file))
  return async (provider, account, sealed) => {
    try {
      const { plaintext, protectedHeader } = await compactDecrypt(sealed, ({ kid }) => {
        const key = keys.get(kid ?? '')
        if (!key) throw new Error('unknown kid')
        return key
      })
      const own = JSON.stringify(protectedHeader.ctx) === JSON.stringify(['raw', provider, account])
      return own && protectedHeader.alg === alg ? hash('sha256', plaintext, 'hex') : undefined
    } catch {
      return undefined
    }
  }
}

async function readKeys(file: string) {
  try {
    const { keys } = JSON.parse(await readFile(file, 'utf8')) as { keys: (JsonWebKey & { kid: string })[] }
    return await Promise.all(keys.map(async (key) => [key.kid, await importJWK(key, alg)] as const))
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException
    throw new Error(
      `${file} is no set of private keys to open raw records with (${code ?? name}): --keys names the folder that holds it`,
    )
  }
}
