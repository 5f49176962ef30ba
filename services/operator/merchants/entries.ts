import { readFile } from 'node:fs/promises'
import schema from '../../../shared/contracts/schemas/merchant.schema.json' with { type: 'json' }
import type { Merchant } from '../../../shared/contracts/types.ts'
import { checkMerchant } from '../../../shared/contracts/validate.ts'
import { describeError } from '../../../shared/runtime/log.ts'

const shownMistakes = 20
const entryMembers = new Set(Object.keys(schema.properties))
const subscriptionMembers = new Set(Object.keys(schema.$defs.subscription.properties))

/**
 * Reads entries from files (`-`: standard input), each one entry, a list, or an entry a line. Throws one error that names the mistakes in all
 * of them.
 */
export async function readEntries(files: string[], input: () => Promise<string>): Promise<Merchant[]> {
  const mistakes: string[] = []
  const entries = new Map<string, Merchant>()
  const repeated = new Set<string>()
  for (const file of files) {
    const name = file === '-' ? 'standard input' : file
    try {
      const text = file === '-' ? await input() : await readFile(file, 'utf8')
      for (const { where, value } of parseEntries(text)) {
        const checked = checkMerchant(value)
        const wrong = 'mistakes' in checked ? checked.mistakes : unknownMembers(checked.value)
        mistakes.push(...wrong.map((mistake) => `${name}${where}: ${mistake}`))
        if ('mistakes' in checked) continue
        const { merchantId } = checked.value
        if (entries.has(merchantId)) repeated.add(merchantId)
        entries.set(merchantId, checked.value)
      }
    } catch (error) {
      mistakes.push(`${name}: ${error instanceof SyntaxError ? 'is not JSON' : describeError(error)}`)
    }
  }
  mistakes.push(...[...repeated].map((id) => `merchant ${id} is given twice`))
  if (mistakes.length === 0) return [...entries.values()]
  const more = mistakes.length > shownMistakes ? [`and ${mistakes.length - shownMistakes} more`] : []
  const shown = [...mistakes.slice(0, shownMistakes), ...more]
  throw new Error(`Nothing was written:\n${shown.map((mistake) => `  ${mistake}`).join('\n')}`)
}

type Parsed = { where: string; value: unknown }

/** A file that is no JSON, but begins with a line that is, has an entry a line. Throws a SyntaxError. */
function parseEntries(text: string): Parsed[] {
  const lines = text.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : [{ line, where: `:${index + 1}` }]))
  if (lines.length === 0) return []
  if (lines.length > 1 && isJson(lines[0]?.line as string))
    return lines.map(({ line, where }) => ({ where, value: parseLine(line) }))
  const parsed: unknown = JSON.parse(text)
  return Array.isArray(parsed) ? parsed.map((value, index) => ({ where: `/${index}`, value })) : [{ where: '', value: parsed }]
}

const isJson = (text: string) => parseLine(text) !== undefined

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/** Readers ignore what they do not know, so a filter whose name is misspelled would be none, and match everything. */
function unknownMembers(entry: Merchant): string[] {
  const unknown = (value: object, known: Set<string>, path: string) =>
    Object.keys(value)
      .filter((name) => !known.has(name))
      .map((name) => `${path}/${name} is no member of an entry`)
  return [
    ...unknown(entry, entryMembers, ''),
    ...entry.subscriptions.flatMap((subscription, index) =>
      unknown(subscription, subscriptionMembers, `/subscriptions/${index}`),
    ),
  ]
}
