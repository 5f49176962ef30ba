import { createHash } from 'node:crypto'
import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import { describeError, type Log } from '../../shared/runtime/log.ts'
import { type Accounts, AccountsError } from './accounts.ts'

/** A file is often written in several steps, and Kubernetes swaps a whole folder. */
const settleMs = 250

/**
 * Reads the accounts again on SIGHUP and when a file among them changes. All or nothing: `onAccounts` gets a whole new reading, or the
 * one before stays in force and the log says loudly why. Folders are watched, not files, because files are replaced by renaming.
 */
export function watchAccounts(options: {
  current: Accounts
  load: () => Accounts
  onAccounts: (accounts: Accounts) => void
  onRefused: () => void
  log: Log
}) {
  const { load, onAccounts, onRefused, log } = options
  const watchers = new Map<string, FSWatcher>()
  let files = options.current.files
  let seen = fingerprint(files)
  let pending: NodeJS.Timeout | undefined

  function reload(): void {
    clearTimeout(pending)
    pending = undefined
    try {
      const accounts = load()
      files = accounts.files
      onAccounts(accounts)
      for (const reason of accounts.warnings) log.warn('accounts-warning', { reason })
      log.info('accounts-reloaded', { count: files.length })
    } catch (error) {
      if (error instanceof AccountsError) files = [...new Set([...files, ...error.files])]
      onRefused()
      log.error('accounts-refused', { reason: `The accounts before stay in force. ${describeError(error)}` })
    }
    seen = fingerprint(files)
    watchFolders()
  }

  function reloadIfChanged(): void {
    pending = undefined
    if (fingerprint(files) !== seen) reload()
  }

  function watchFolders(): void {
    const folders = new Set(files.map((file) => dirname(file)))
    for (const [folder, watcher] of watchers) {
      if (folders.delete(folder)) continue
      watcher.close()
      watchers.delete(folder)
    }
    for (const folder of folders) {
      try {
        const watcher = watch(folder, { persistent: false }, () => {
          pending ??= setTimeout(reloadIfChanged, settleMs)
        })
        watcher.on('error', (error) => log.warn('accounts-unwatched', { file: folder, error }))
        watchers.set(folder, watcher)
      } catch (error) {
        log.warn('accounts-unwatched', { file: folder, error })
      }
    }
  }

  process.on('SIGHUP', reload)
  watchFolders()

  return {
    stop(): void {
      process.off('SIGHUP', reload)
      clearTimeout(pending)
      for (const watcher of watchers.values()) watcher.close()
    },
  }
}

/** The contents of all files as one text; a file that is not there counts as such. */
function fingerprint(files: string[]): string {
  const hash = createHash('sha256')
  for (const file of files) {
    try {
      hash.update(`${file}\n`).update(readFileSync(file)).update('\n')
    } catch {
      hash.update('missing\n')
    }
  }
  return hash.digest('hex')
}
