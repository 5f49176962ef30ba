import { chmod, mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export type NewFile = { name: string; text: string; secret: boolean }

/** Secrets are for their owner to read and for nobody to write; what people edit is writable for its owner. */
const modeOf = ({ secret }: NewFile) => (secret ? 0o400 : 0o600)
const folderMode = 0o700
const openToOthers = 0o077

/** Makes a folder of new files, all or none: refuses when one of them exists, and takes back what it wrote when it fails half-way. */
export async function writeNewFiles(folder: string, files: NewFile[]): Promise<void> {
  await makePrivateFolder(folder)
  const present = new Set(await readdir(folder))
  const taken = files.filter(({ name }) => present.has(name)).map(({ name }) => name)
  if (taken.length > 0)
    throw new Error(`${folder} has ${taken.join(', ')} already; keys are never overwritten. Name another folder`)
  const written: string[] = []
  try {
    for (const file of files) {
      const path = join(folder, file.name)
      const handle = await open(path, 'wx', modeOf(file))
      written.push(path)
      await handle
        .writeFile(file.text)
        .then(() => handle.sync())
        .finally(() => handle.close())
    }
    await syncFolder(folder)
  } catch (error) {
    await Promise.all(written.map((path) => unlink(path)))
    throw error
  }
}

/** Throws one sentence that names every file that is there already. A missing folder has none. */
export async function refuseToOverwrite(folder: string, names: string[]): Promise<void> {
  const present = new Set(await readdir(folder).catch(() => []))
  const taken = names.filter((name) => present.has(name))
  if (taken.length > 0)
    throw new Error(`${folder} has ${taken.join(', ')} already; keys are never overwritten. Name another folder`)
}

/** A new or empty folder is made private; one that holds something and is open to others is refused. */
async function makePrivateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: folderMode })
  const { mode } = await stat(folder)
  if ((mode & openToOthers) === 0) return
  if ((await readdir(folder)).length > 0) throw new Error(`${folder} is open to other users. Run: chmod 700 ${folder}`)
  await chmod(folder, folderMode)
}

/**
 * Replaces a file's text so that a reader at any instant, and a restart after a power cut, finds the old or the new one, whole. Keeps mode and
 * owner, since the services that read it may run as another user. The temporary file is the lock between two writers.
 */
export async function replaceFile(path: string, change: (text: string) => string): Promise<void> {
  const temporary = `${path}.new`
  const { mode, uid, gid } = await stat(path)
  const handle = await open(temporary, 'wx', mode & 0o777).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
    throw new Error(
      `${temporary} exists: another change is under way, or one was cut off; in that case remove it and run this again`,
    )
  })
  try {
    // Read under the lock: a change that another writer just finished is not undone.
    await handle.writeFile(change(await readFile(path, 'utf8')))
    if (process.getuid?.() === 0) await handle.chown(uid, gid)
    await handle.sync()
    await handle.close()
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await handle.close().catch(() => {})
    await unlink(temporary).catch(() => {})
    throw error
  }
}

/** A rename is durable once its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}

/** Permission bits as `ls` users write them, and whether others than the owner can read. */
export async function permissionsOf(path: string): Promise<{ mode: string; openToOthers: boolean }> {
  const { mode } = await stat(path)
  return { mode: (mode & 0o777).toString(8).padStart(4, '0'), openToOthers: (mode & openToOthers) !== 0 }
}
