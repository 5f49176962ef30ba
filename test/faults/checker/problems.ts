/**
 * Everything that the checker can find, by name. `lost` and `doubled` are the promise itself; `invented` is there without a cause;
 * `wrong` is there once and says something that is not so.
 */
export const kinds = {
  'acknowledged-not-kept': ['kept', 'lost', 'acknowledged, and fewer raw records than acknowledgements have these bytes'],
  'raw-not-opened': ['kept', 'wrong', 'the raw record does not open for the provider and account it names: altered'],
  'raw-never-sent': ['kept', 'invented', 'the raw record holds bytes that nobody sent'],
  unreadable: ['accounts', 'wrong', 'the record is not what its topic promises, or its headers say otherwise'],
  unaccounted: ['accounts', 'lost', 'the raw record ended nowhere'],
  'accounted-twice': ['accounts', 'doubled', 'the raw record ended more than once'],
  'normalized-twice': ['accounts', 'doubled', 'the normalizer decided more than once about the raw record'],
  'never-normalized': ['accounts', 'invented', 'the raw record ended beyond the normalizer, which never passed it on'],
  'origin-unknown': ['accounts', 'invented', 'the record names an origin that is no raw record'],
  'partition-changed': ['accounts', 'wrong', 'the record lies on another partition number than its origin'],
  'change-without-event': ['changes', 'lost', 'raw records of the change are there, and no event'],
  'change-with-events': ['changes', 'doubled', 'the change has more than one event'],
  'event-not-first': ['changes', 'wrong', 'the event is of another copy than the first that was accepted'],
  'event-altered': ['changes', 'wrong', 'the event says something else than its normalized record'],
  'change-apart': ['changes', 'wrong', 'copies of one change lie on different partitions'],
  'event-ids-of-change': ['changes', 'wrong', 'copies of one change have different event ids'],
  'changes-of-event-id': ['changes', 'wrong', 'different changes have one event id'],
  'odd-not-dead': ['changes', 'invented', 'what nobody can understand is no dead letter'],
  'dead-not-odd': ['changes', 'lost', 'a proper notification is a dead letter'],
  'sync-missing': ['syncs', 'lost', 'a matching subscription has no sync of the event'],
  'sync-doubled': ['syncs', 'doubled', 'a subscription has more than one sync of the event'],
  'sync-not-wanted': ['syncs', 'invented', 'no such subscription matched at the registry version that the sync names'],
  'sync-without-event': ['syncs', 'invented', 'a sync of an event that is not on the public topic'],
  'sync-altered': ['syncs', 'wrong', 'the sync holds another event than the public topic'],
  'sync-dead': ['syncs', 'lost', 'the event is a dead letter of merchant-sync'],
  'registry-versions-differ': ['syncs', 'wrong', 'the syncs of one event were decided by different registry versions'],
  'registry-version-unknown': ['syncs', 'wrong', 'the sync names a registry version that never was'],
  'registry-version-old': ['syncs', 'wrong', 'the sync was decided by a registry version of before the run'],
  'raw-order': ['order', 'wrong', 'normalized before a record that was accepted earlier on its partition'],
  'token-order': ['order', 'wrong', 'an event of the token before one that was accepted earlier'],
  'token-apart': ['order', 'wrong', 'events of one token lie on different partitions'],
  'late-missing': ['order', 'wrong', 'a creation accepted after its token ended, and not marked late'],
  'late-without-cause': ['order', 'wrong', 'marked late, and it is no creation accepted after its token ended'],
  'hung-transaction': ['visible', 'lost', 'read_committed does not reach the end: a transaction is open'],
  'never-in-log': ['visible', 'invented', 'read_committed shows a record that read_uncommitted does not'],
  'seen-by-other-only': ['visible', 'invented', 'the other client shows a record that kcat does not: an aborted one'],
  'missed-by-other': ['visible', 'lost', 'kcat shows a record that the other client does not'],
  'not-consumed': ['visible', 'lost', 'the group has not committed past the record'],
  'duplicate-of-nothing': ['duplicates', 'invented', 'it names a normalized record that is not of its origin and event id'],
  'wrong-holder': ['duplicates', 'wrong', 'the holder is not the normalized record that became the event'],
  'holder-not-before': ['duplicates', 'wrong', 'the holder does not lie before the duplicate on its partition'],
  'conflict-missing': ['duplicates', 'wrong', 'the content differs from that of the holder, and it is no conflict'],
  'conflict-without-cause': ['duplicates', 'wrong', 'a conflict, and the content is that of the holder'],
} as const satisfies Record<string, readonly [check: string, effect: Effect, says: string]>

type Effect = 'lost' | 'doubled' | 'invented' | 'wrong'
export type Kind = keyof typeof kinds
type Check = (typeof kinds)[Kind][0]

/** One thing that is broken, and where: positions `topic/partition/offset`, `attempt <n>` of the history, or a sync id. */
export type Problem = { check: Check; what: Kind; positions: string[] }
export type Total = { check: Check; what: Kind; says: string; count: number }
export type Found = (what: Kind, ...positions: string[]) => void

/** Counts every problem and keeps the first few of each kind. */
export function collectProblems(examples: number) {
  const counts = new Map<Kind, number>()
  const problems: Problem[] = []
  const found: Found = (what, ...positions) => {
    const count = (counts.get(what) ?? 0) + 1
    counts.set(what, count)
    if (count <= examples) problems.push({ check: kinds[what][0], what, positions: positions.slice(0, maxPositions) })
  }
  return {
    found,
    /** In the order of the table above. */
    totals: (): Total[] =>
      (Object.keys(kinds) as Kind[])
        .filter((what) => counts.has(what))
        .map((what) => ({ check: kinds[what][0], what, says: kinds[what][2], count: counts.get(what) as number })),
    problems: () => problems,
    countOf: (effect: Effect): number =>
      [...counts].reduce((sum, [what, count]) => (kinds[what][1] === effect ? sum + count : sum), 0),
  }
}

/** A change with thousands of copies shall not fill the screen. */
const maxPositions = 20
