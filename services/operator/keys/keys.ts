import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { loadKeyRing } from '../../../shared/security/keys.ts'
import { makeDevelopmentFiles } from './development-keys.ts'
import { type NewFile, permissionsOf, replaceFile, writeNewFiles } from './key-folder.ts'
import { type KeyFile, type KeySetName, type KeyState, keySets, keySetText, keyStates, makeKey } from './key-sets.ts'

const setNames = Object.keys(keySets) as KeySetName[]
const kindOf = (file: KeyFile) => (file === 'raw.public.json' ? 'public' : file === 'raw.private.json' ? 'private' : 'secret')

/** Makes a complete folder of keys; returns the names of the files. */
export async function makeKeys(folder: string, development: boolean, now: number): Promise<string[]> {
  const files = setNames.flatMap((set) => {
    const key = makeKey(set, now, now)
    return keySets[set].map((name): NewFile => {
      const jwk = key[name]
      if (jwk === undefined) throw new Error(`No key was made for ${name}`)
      return { name, text: keySetText([jwk], development), secret: name !== 'raw.public.json' }
    })
  })
  if (development) files.push(...(await makeDevelopmentFiles()))
  await writeNewFiles(folder, files)
  return files.map(({ name }) => name)
}

export type ListedFile = {
  file: KeyFile
  development: boolean
  mode: string
  openToOthers: boolean
  keys: { kid: string; activeFrom: string; state: KeyState }[]
}

/** What is in a folder of keys: ids, times and states, never material. */
export async function listKeys(folder: string, now: number): Promise<ListedFile[]> {
  const names = setNames.flatMap((set): KeyFile[] => [...keySets[set]])
  const present = await Promise.all(
    names.map((name) =>
      access(join(folder, name)).then(
        () => true,
        () => false,
      ),
    ),
  )
  const found = names.filter((_, index) => present[index])
  if (found.length === 0) throw new Error(`${folder} holds none of ${names.join(', ')}`)
  return Promise.all(
    found.map(async (file) => {
      const path = join(folder, file)
      const ring = loadKeyRing(path, kindOf(file))
      const states = keyStates(ring.keys, now)
      const keys = ring.keys.map(({ kid, activeFrom }, index) => ({
        kid,
        activeFrom: new Date(activeFrom).toISOString(),
        state: states[index] as KeyState,
      }))
      return { file, development: ring.development, ...(await permissionsOf(path)), keys }
    }),
  )
}

/** Appends a new key to a set, in all its files; the old ones stay for opening what they sealed. Returns the new key's id. */
export async function rotateKeys(folder: string, set: 'raw' | 'credentials', now: number, activeFrom: number): Promise<string> {
  const key = makeKey(set, now, activeFrom)
  // Checked before anything is written: a broken file is not made worse.
  for (const file of keySets[set]) loadKeyRing(join(folder, file), kindOf(file))
  let kid = ''
  for (const file of keySets[set]) {
    const jwk = key[file]
    if (jwk === undefined) throw new Error(`No key was made for ${file}`)
    kid = jwk.kid
    await replaceFile(join(folder, file), (text) => {
      const { development = false, keys } = JSON.parse(text) as { development?: boolean; keys: (typeof jwk)[] }
      return keySetText([...keys, jwk], development)
    })
  }
  return kid
}
