import { type FSWatcher, watch } from 'node:fs'
import { dirname } from 'node:path'
import { describeError, type Log } from '../../shared/runtime/log.ts'
import { type Accounts, AccountsError } from './accounts.ts'
import { hasChanged } from './tracked-file.ts'

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
  let { reads } = options.current
  let pending: NodeJS.Timeout | undefined

  function reload(): void {
    clearTimeout(pending)
    pending = undefined
    try {
      const accounts = load()
      reads = accounts.reads
      onAccounts(accounts)
      for (const reason of accounts.warnings) log.warn('accounts-warning', { reason })
      log.info('accounts-reloaded', { count: reads.length })
    } catch (error) {
      if (error instanceof AccountsError) reads = error.reads
      onRefused()
      log.error('accounts-refused', { reason: `The accounts before stay in force. ${describeError(error)}` })
    }
    watchFolders()
  }

  function lookAgain(): void {
    pending ??= setTimeout(() => {
      pending = undefined
      if (reads.some(hasChanged)) reload()
    }, settleMs)
  }

  function watchFolders(): void {
    const folders = new Set(reads.map(({ path }) => dirname(path)))
    for (const [folder, watcher] of watchers) {
      if (folders.delete(folder)) continue
      watcher.close()
      watchers.delete(folder)
    }
    for (const folder of folders) {
      try {
        const watcher = watch(folder, { persistent: false }, lookAgain)
        watcher.on('error', (error) => log.warn('accounts-unwatched', { file: folder, error }))
        watchers.set(folder, watcher)
        // What changed between the reading and the watching would go unnoticed.
        lookAgain()
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
