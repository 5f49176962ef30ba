import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where a program lies on the PATH, or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/bin']
  return folders
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** The path of a program that a Debian package brings; installed when it is absent, as `ensureInstalled` says. */
export function ensureProgram(name: string, debianPackage: string, log: (line: string) => void): string {
  const find = () => findProgram(name)
  return ensureInstalled({ find, missing: `${name} is not on the PATH`, debianPackages: [debianPackage], log })
}

type Wanted = { find: () => string | undefined; missing: string; debianPackages: string[]; log: (line: string) => void }

/**
 * What `find` finds. When it finds nothing, root gets the Debian packages installed by apt; anyone else is told the command. The package lists
 * are updated first, because a new machine has none.
 */
export function ensureInstalled({ find, missing, debianPackages, log }: Wanted): string {
  const found = find()
  if (found) return found
  const command = `apt-get install ${debianPackages.join(' ')}`
  if (!findProgram('apt-get')) throw new Error(`${missing}. Install it with your system's packages.`)
  if (process.getuid?.() !== 0) throw new Error(`${missing}. Install it with: sudo ${command}`)
  log(`Installing ${debianPackages.join(' ')} by apt …`)
  const update = apt(['update'])
  const install = apt(['install', '-y', '--no-install-recommends', ...debianPackages])
  const installed = find()
  if (installed) return installed
  throw new Error(`${missing}, and ${command} failed: ${firstProblem(install) || firstProblem(update)}`)
}

/** RUNLEVEL=1 keeps Debian's start scripts from starting a service of the package's own beside ours. */
function apt(args: string[]): string {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const { stdout, stderr } = spawnSync('apt-get', ['-q', ...args], { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] })
  return `${stderr}\n${stdout}`
}

function firstProblem(output: string): string {
  return output.split('\n').find((line) => /^[EW]: |No space left/.test(line)) ?? ''
}
