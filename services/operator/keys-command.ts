import { type Command, Option } from 'commander'
import { table, UsageError } from './answer.ts'
import { type CommonOptions, defineCommand, type Frame } from './command.ts'
import { auditIfConfigured } from './kafka-session.ts'
import { refuseToOverwrite } from './keys/key-folder.ts'
import { developmentFiles, keySets, leastPrivilege } from './keys/key-sets.ts'
import { type ListedFile, listKeys, makeKeys, rotateKeys } from './keys/keys.ts'

type MakeOptions = CommonOptions & { out: string; development?: boolean }
type RotateOptions = CommonOptions & { dir: string; set: keyof typeof keySets; activeFrom?: string }

const hourMs = 60 * 60 * 1000
const identityIsForEver =
  'Identity keys do not rotate: every event id, token ref, partition and claim is made with this one, so a new key makes every repeat a ' +
  'new event. Changing it is a migration to new topics under another TOPIC_PREFIX.'

/** `operator keys make|list|rotate`: the key files of the pipeline. Never prints key material. */
export function addKeysCommand(program: Command, { terminal, perform }: Frame): void {
  const keys = program.command('keys').description('make, list and rotate the key files')

  defineCommand(keys, 'make', {
    summary: 'make a folder of new keys; refuses to overwrite any',
    examples: ['keys make --out /etc/token-notifications/keys', 'keys make --development --out .local/keys'],
    details:
      'Secrets get mode 0400 in a folder of mode 0700. --development adds the accounts and keys of a demonstration, all marked.',
    changes: true,
  })
    .requiredOption('--out <folder>', 'folder to make them in')
    .option('--development', 'for a laptop: services refuse these keys with brokers that are not on loopback')
    .action(
      perform(async ({ out, development = false, dryRun }: MakeOptions) => {
        const readers = development ? [...leastPrivilege, ...developmentFiles] : leastPrivilege
        const rows = readers.map(({ file, secret, readers, allows }) => [file, secret, readers, allows])
        const who = `Give each process the files it reads and no other:\n\n${table(['file', 'secret', 'read by', 'allows'], rows)}`
        if (dryRun) {
          const files = readers.map(({ file }) => file)
          await refuseToOverwrite(out, files)
          return {
            fulfilled: true,
            document: { folder: out, files },
            text: `Would make in ${out}: ${files.join(', ')}.\n\n${who}`,
          }
        }
        const files = await makeKeys(out, development, terminal.now())
        const audited = await auditIfConfigured(terminal, 'keys make', { folder: out, files, development })
        const text = `Made in ${out}: ${files.join(', ')}.\n${audited.text}\n\n${who}\n\n${identityIsForEver}`
        return { fulfilled: true, document: { folder: out, files, development, audited: audited.recorded, readers }, text }
      }),
    )

  defineCommand(keys, 'list', {
    summary: 'show key ids, activation times and states, never material',
    examples: ['keys list .local/keys', 'keys list /etc/token-notifications/keys --json'],
  })
    .argument('<folder>', 'folder of key files')
    .action(
      perform(async (folder: string, _options: CommonOptions) => {
        const files = await listKeys(folder, terminal.now())
        return { fulfilled: true, document: { folder, files }, text: describeFiles(files) }
      }),
    )

  defineCommand(keys, 'rotate', {
    summary: 'add a new key to a set; old keys stay for opening',
    examples: [
      'keys rotate --dir .local/keys --set credentials',
      'keys rotate --dir keys --set raw --active-from 2027-01-01T00:00:00Z',
    ],
    details:
      'The new key is used from its activation time on (default: in one hour). Until then hand the new files out, first to those who\n' +
      `open, and restart them. ${identityIsForEver}`,
    changes: true,
  })
    .requiredOption('--dir <folder>', 'folder of key files')
    .addOption(new Option('--set <name>', 'which keys').choices(Object.keys(keySets)).makeOptionMandatory())
    .option('--active-from <time>', 'ISO 8601 with zone, in the future')
    .action(
      perform(async ({ dir, set, activeFrom, dryRun }: RotateOptions) => {
        if (set === 'identity') throw new UsageError(identityIsForEver)
        const from = activationTime(activeFrom, terminal.now())
        const at = new Date(from).toISOString()
        const before = await listKeys(dir, terminal.now())
        const files = [...keySets[set]]
        if (dryRun) {
          const text = `Would add a key to ${files.join(' and ')}, active from ${at}.\n\n${describeFiles(before)}`
          return { fulfilled: true, document: { folder: dir, files, activeFrom: at }, text }
        }
        const kid = await rotateKeys(dir, set, terminal.now(), from)
        const audited = await auditIfConfigured(terminal, 'keys rotate', { folder: dir, set, kid, activeFrom: at })
        const text = `Added ${kid} to ${files.join(' and ')}, active from ${at}.\n${audited.text}\nHand out ${files[0]} first, and restart who reads it.`
        return { fulfilled: true, document: { folder: dir, set, kid, activeFrom: at, files, audited: audited.recorded }, text }
      }),
    )
}

/** Never in the past: which key seals is a function of a record's timestamp, so a replay would seal old records anew with it. */
function activationTime(text: string | undefined, now: number): number {
  if (text === undefined) return now + hourMs
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at)) throw new UsageError('--active-from needs a time like 2027-01-01T00:00:00Z')
  if (at <= now) throw new UsageError('--active-from must be in the future: a replay must seal old records as they were sealed')
  return at
}

function describeFiles(files: ListedFile[]): string {
  const rows = files.flatMap(({ file, mode, openToOthers, development, keys }) =>
    keys.map(({ kid, activeFrom, state }) => {
      const marks = [development ? 'development' : '', openToOthers ? 'open to other users' : ''].filter(Boolean).join(', ')
      return [file, kid, state, activeFrom, mode, marks]
    }),
  )
  return table(['file', 'kid', 'state', 'active from', 'mode', ''], rows)
}
