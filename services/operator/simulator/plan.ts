import type { Provider } from '../../../shared/contracts/topics.ts'
import { alipayplusStories } from './alipayplus-stories.ts'
import { bluepayStories } from './bluepay-stories.ts'
import { type Cast, type Change, type Copy, type Delivery, isOdd, type Kind } from './notification.ts'
import { createRandom, type Random } from './random.ts'
import { pickStyle } from './spelling.ts'
import type { Story, StoryMaker } from './story.ts'

export type PlanOptions = {
  seed: string
  /** Share of deliveries that are copies of earlier ones. */
  duplicates: number
  /** Share of stories whose cancellation is sent before the creation. */
  lateCancels: number
  /** Providers and kinds wanted; empty: all. */
  only: readonly (Provider | Kind)[]
}

/** Of all changes, how many verify and cannot be understood, and how many are told a second time with other content. */
const oddShare = 0.03
const conflictShare = 0.01
/** How far apart, in deliveries, the steps of a story and the copies of a change lie at most. */
const stepGap = 12
const copyGap = 25
/** Alipay+ sends at most eight times (`providers.md` §2.6). */
const maxCopies = 7

/** So many stories in a row without a wanted kind: nobody in the cast tells it. */
const maxBarrenStories = 10_000

type Step = Story[number]
type Due = { at: number; order: number; change: Change; step: Step; copy: Copy }
type Sent = Pick<Change, 'provider' | 'sender'>
type Chapter = (random: Random) => { story: Story; sent: Sent }

/**
 * Everything that the simulator sends, in order, without end: a pure function of the cast and the options. Whoever wants `n`
 * notifications takes the first `n`; nothing before them changes with `n`.
 */
export function* planDeliveries(cast: Cast, options: PlanOptions): Generator<Delivery> {
  const random = createRandom(options.seed)
  const dealChapter = createDealer(cast, random)
  const waiting: Due[] = []
  let [changes, stories, order] = [0, 0, 0]

  const wanted = (provider: Provider, kind: Kind) =>
    options.only.length === 0 || options.only.includes(provider) || options.only.includes(kind)
  const schedule = (due: Omit<Due, 'order'>) => {
    waiting.push({ ...due, order: order++ })
    waiting.sort((a, b) => a.at - b.at || a.order - b.order)
  }
  const beginStory = (now: number) => {
    const { story, sent } = dealChapter()
    const { steps, late } = arrangeSteps(story, random.chance(options.lateCancels))
    let at = now
    for (const step of steps) {
      const { kind, content } = step
      const change = { ...sent, number: changes++, story: stories, kind, content, late: step === late } as Change
      if (wanted(change.provider, kind)) schedule({ at, change, step, copy: 'first' })
      at += random.integer(1, stepGap)
    }
    stories++
  }

  for (let number = 0; ; number++) {
    const barrenFrom = stories
    while ((waiting[0]?.at ?? Number.POSITIVE_INFINITY) > number) {
      if (stories - barrenFrom > maxBarrenStories) throw new Error(`Nobody here sends ${options.only.join(', ')}`)
      beginStory(number)
    }
    const { change, step, copy } = waiting.shift() as Due
    // Copies of odd content are known by their bytes alone, so they are spelled alike.
    const style = pickStyle(isOdd(change) ? createRandom(`${options.seed}/${change.number}`) : random)
    const content = copy === 'conflict' && step.other ? step.other : change.content
    yield { number, change, copy, content, style }
    if (copy !== 'first') continue
    for (const [at, copy] of copiesOf(step, options.duplicates, number, random)) schedule({ at, change, step, copy })
  }
}

/** Each change is followed by as many copies as make up the share in the long run. */
function copiesOf(step: Step, share: number, now: number, random: Random): [number, Copy][] {
  const copies: [number, Copy][] = []
  while (copies.length < maxCopies && random.chance(share)) {
    const copy = random.pick<Copy>(['identical', 'identical', 're-signed', 're-signed', 'concurrent'])
    copies.push([copy === 'concurrent' ? now : now + random.integer(1, copyGap), copy])
  }
  if (step.other && share > 0 && random.chance(conflictShare)) copies.push([now + random.integer(1, copyGap), 'conflict'])
  return copies
}

/** The last two steps change places when a cancellation overtakes the creation of its token. */
function arrangeSteps(story: Story, cancelFirst: boolean): { steps: Story; late?: Step } {
  const [created, canceled] = story.slice(-2)
  const isPair = createdKinds.has(created?.kind) && canceledKinds.has(canceled?.kind)
  if (!cancelFirst || !isPair || !created || !canceled) return { steps: story }
  return { steps: [...story.slice(0, -2), canceled, created], late: created }
}
const createdKinds = new Set<Kind | undefined>(['TOKEN_CREATED', 'token.create.success'])
const canceledKinds = new Set<Kind | undefined>(['TOKEN_CANCELED', 'token.cancel.success'])

/**
 * Deals stories from a shuffled deck that holds each one once, so that every kind comes soon and in its share; odd ones slip in
 * between (a story tells about two changes, an odd one tells one).
 */
function createDealer(cast: Cast, random: Random): () => ReturnType<Chapter> {
  const deck = (which: 'stories' | 'odd'): Chapter[] => [
    ...chaptersOf(cast.alipayplus, alipayplusStories[which], (sender) => ({ provider: 'alipayplus', sender })),
    ...chaptersOf(cast.bluepay, bluepayStories[which], (sender) => ({ provider: 'bluepay', sender })),
  ]
  const [stories, odd] = [deck('stories'), deck('odd')]
  if (stories.length === 0) throw new Error('Nobody can send: simulator.json names no active key')
  let dealt: Chapter[] = []
  return () => {
    if (random.chance(2 * oddShare)) return random.pick(odd)(random)
    if (dealt.length === 0) dealt = random.shuffle(stories)
    return (dealt.pop() as Chapter)(random)
  }
}

/** A provider's stories, each told of a sender that is drawn when its turn comes. */
function chaptersOf<S>(senders: readonly S[], makers: StoryMaker<S>['stories'], sentBy: (sender: S) => Sent): Chapter[] {
  if (senders.length === 0) return []
  return makers.map((make) => (random) => {
    const sender = random.pick(senders)
    return { story: make(sender, random), sent: sentBy(sender) }
  })
}
