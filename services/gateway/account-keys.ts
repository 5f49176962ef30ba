import type { KeyObject } from 'node:crypto'
import { statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { readPublicKey, readSigningKey, type VerifyingKey } from './rsa-keys.ts'
import { type FileRead, readTracked } from './tracked-file.ts'

type PublicKeyPlace = { publicKey?: string; publicKeyFile?: string }
type PrivateKeyPlace = { privateKey?: string; privateKeyFile?: string }

/** What one reading of the accounts file has found so far. Sentences name places and files, never values. */
export type Findings = { mistakes: string[]; warnings: string[]; reads: FileRead[] }

/** Reads keys for places of the accounts file, from its own text or from files relative to it; mistakes are gathered, not thrown. */
export function createKeyReader(accountsFile: string, findings: Findings) {
  const { mistakes, warnings, reads } = findings

  function readText(place: string, inline: string | undefined, file: string | undefined, secret: boolean): string | undefined {
    if ((inline === undefined) === (file === undefined)) {
      mistakes.push(`${place} needs its key either here or in a file, not both`)
      return undefined
    }
    if (file === undefined) return inline
    const path = resolve(dirname(accountsFile), file)
    try {
      const text = readTracked(path, reads)
      if (secret && statSync(path).mode & 0o007) warnings.push(`private key file ${path} is open to every user`)
      return text
    } catch (error) {
      mistakes.push(`${place} names a file that cannot be read (${(error as NodeJS.ErrnoException).code})`)
      return undefined
    }
  }

  return {
    verifyingKey(place: string, entry: PublicKeyPlace, development: boolean): VerifyingKey | undefined {
      const text = readText(place, entry.publicKey, entry.publicKeyFile, false)
      if (text === undefined) return undefined
      const read = readPublicKey(text)
      if ('mistake' in read) {
        mistakes.push(`${place} ${read.mistake}`)
        return undefined
      }
      if (read.published && !development) mistakes.push(`${place} is a published sample key: anybody may know its private half`)
      return read.key
    },
    signingKey(place: string, entry: PrivateKeyPlace): KeyObject | undefined {
      const text = readText(place, entry.privateKey, entry.privateKeyFile, true)
      if (text === undefined) return undefined
      const read = readSigningKey(text)
      if ('key' in read) return read.key
      mistakes.push(`${place} ${read.mistake}`)
      return undefined
    },
  }
}
export type KeyReader = ReturnType<typeof createKeyReader>
