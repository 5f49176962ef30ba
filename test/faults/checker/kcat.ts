/** Reading topics with kcat: librdkafka, a client that shares no code with the one that the pipeline uses. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { linesOf } from './lines.ts'

export type KcatRead = { brokers: string; topic: string; isolation: 'read_committed' | 'read_uncommitted' }

/** kcat's own envelope (`-J`): lossless for UTF-8, headers as name, value, name, value, also when a name repeats. */
export type Dumped = {
  topic: string
  partition: number
  offset: number
  ts: number
  headers?: (string | null)[]
  key: string | null
  payload: string | null
}

/** Where read_committed or read_uncommitted says that each partition ends: the last stable offset, or the high watermark. */
export type Ends = Map<number, number>

const silenceMs = 60_000

/** Every record up to the end of all partitions; each group of records is awaited before the next is read. */
export function dumpRecords(read: KcatRead, onRecords: (records: Dumped[]) => void | Promise<void>): Promise<Ends> {
  return runKcat(read, ['-J'], (lines) => onRecords(lines.map((line) => JSON.parse(line) as Dumped)))
}

/** The same without contents. */
export function dumpPlaces(read: KcatRead, onPlace: OnPlace): Promise<Ends> {
  return runKcat(read, placesFormat, toPlaces(onPlace))
}

/**
 * What a group has not committed past (everything, where it has committed nothing), without joining it. Needs the topic's number of
 * partitions: kcat would commit the end to the group when it stops (no setting prevents that), so it is killed once it has read all.
 */
export function dumpNotConsumed(read: KcatRead & { group: string; partitions: number }, onPlace: OnPlace): Promise<Ends> {
  return runKcat(read, [...placesFormat, '-u'], toPlaces(onPlace))
}

type OnPlace = (partition: number, offset: number) => void
const placesFormat = ['-f', '%p %o\n']
const toPlaces = (onPlace: OnPlace) => (lines: string[]) => {
  for (const line of lines) {
    const [partition, offset] = line.split(' ')
    onPlace(Number(partition), Number(offset))
  }
}

type OnLines = (lines: string[]) => void | Promise<void>
type AnyRead = KcatRead & { group?: string; partitions?: number }

async function runKcat(read: AnyRead, format: string[], onLines: OnLines): Promise<Ends> {
  const child = spawn('kcat', [...argsFor(read), ...format], { stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(child, 'exit').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    throw new Error('kcat is not installed, and the checker reads with nothing else. Install it: apt-get install kcat')
  })
  // It never ends when a partition has no leader.
  const watchdog = setTimeout(() => child.kill('SIGKILL'), silenceMs)
  const ends: Ends = new Map()
  let complaint = ''
  const readErrors = async () => {
    for await (const lines of linesOf(child.stderr)) {
      for (const line of lines) {
        const end = /^% Reached end of topic \S+ \[(\d+)\] at offset (\d+)/.exec(line)
        if (end) ends.set(Number(end[1]), Number(end[2]))
        else if (line !== '') complaint = line
      }
      if (ends.size === read.partitions) child.kill('SIGKILL')
    }
  }
  const readRecords = async () => {
    for await (const lines of linesOf(child.stdout)) {
      await onLines(lines)
      watchdog.refresh()
    }
  }
  try {
    const [[code, signal]] = await Promise.all([exited, readRecords(), readErrors()])
    if (code === 0 || ends.size === read.partitions) return ends
    const why = signal ? `was ended by ${signal}, after ${silenceMs / 1000} s of silence if not by you` : `ended with ${code}`
    throw new Error(`kcat ${why} while it read ${read.topic} from ${read.brokers}: ${complaint || 'it said nothing'}`)
  } finally {
    clearTimeout(watchdog)
    child.kill('SIGKILL')
  }
}

function argsFor({ brokers, topic, isolation, group }: AnyRead): string[] {
  const settings = [`isolation.level=${isolation}`, 'fetch.wait.max.ms=50']
  if (group !== undefined) {
    settings.push(`group.id=${group}`, 'topic.auto.commit.enable=false', 'topic.auto.offset.reset=earliest')
  }
  const from = group === undefined ? ['-o', 'beginning', '-e'] : ['-o', 'stored']
  return ['-b', brokers, '-C', '-t', topic, ...from, ...settings.flatMap((setting) => ['-X', setting])]
}
