/** Opens what was sealed by `jose` alone, and tries what the gateway has on it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CryptoKey, compactDecrypt, importJWK, importPKCS8, type JWK, type KeyObject } from 'jose'

type Key = CryptoKey | KeyObject | Uint8Array

const keysOf = (file: string): JWK[] => (JSON.parse(readFileSync(file, 'utf8')) as { keys: JWK[] }).keys

/** The secret bytes of a key file, to look for. */
export const materialOf = (file: string): Buffer[] => keysOf(file).map(({ k, d }) => Buffer.from(k ?? d ?? '', 'base64url'))

export async function createOpener(keyFile: string): Promise<(jwe: string) => Promise<string>> {
  const [jwk] = keysOf(keyFile)
  const key = await importJWK(jwk as JWK, jwk?.kty === 'oct' ? 'dir' : 'ECDH-ES+A256KW')
  return async (jwe) => Buffer.from((await compactDecrypt(jwe, key)).plaintext).toString('utf8')
}

/** Every key in every file of a folder, as the algorithms that could use it would. */
export async function keysIn(folder: string): Promise<{ name: string; key: Key }[]> {
  const found: { name: string; key: Key }[] = []
  for (const file of readdirSync(folder)) {
    const text = readFileSync(join(folder, file), 'utf8')
    const { keys = [] } = JSON.parse(text) as { keys?: JWK[] }
    for (const jwk of keys) found.push({ name: file, key: await importJWK(jwk, jwk.kty === 'oct' ? 'dir' : 'ECDH-ES+A256KW') })
    for (const [, base64 = ''] of text.matchAll(/"privateKey":\s*"([^"]+)"/g)) {
      const pem = `-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----`
      found.push({ name: `${file} (private key)`, key: await importPKCS8(pem, 'RSA-OAEP-256') })
    }
  }
  return found
}

export const opens = (jwe: string, key: Key): Promise<boolean> =>
  compactDecrypt(jwe, key).then(
    () => true,
    () => false,
  )
