import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** A file as it was read: by this one can tell later whether it still is the same, or still missing. */
export type FileRead = { path: string; digest: string }

/** Reads a text file and notes what was found in `reads`, also when nothing was. Throws as `readFileSync` does. */
export function readTracked(path: string, reads: FileRead[]): string {
  try {
    const bytes = readFileSync(path)
    reads.push({ path, digest: createHash('sha256').update(bytes).digest('hex') })
    return bytes.toString('utf8')
  } catch (error) {
    reads.push({ path, digest: 'unreadable' })
    throw error
  }
}

export function hasChanged({ path, digest }: FileRead): boolean {
  const now: FileRead[] = []
  try {
    readTracked(path, now)
  } catch {}
  return now[0]?.digest !== digest
}
