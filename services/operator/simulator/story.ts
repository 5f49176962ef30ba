import type { Fields } from '../../../shared/contracts/deduplication-key.ts'
import type { Kind } from './notification.ts'
import type { Random } from './random.ts'

/** One change of a story; `other` is the same change with other content, for the rare conflict. */
export type StoryStep = { kind: Kind; content: Fields | string; other?: Fields }
/** What happens to one user's token, in the order of happening. */
export type Story = StoryStep[]
/** A provider's stories, each as likely as the others, and the odd ones, which verify and cannot be understood. */
export type StoryMaker<Sender> = Record<'stories' | 'odd', ((sender: Sender, random: Random) => Story)[]>

/** The same fields, one of them with other text. Never one of the de-duplication key: that would be another change. */
export const differently = (fields: Fields, field: string): Fields => ({ ...fields, [field]: `${String(fields[field] ?? '')}0` })
