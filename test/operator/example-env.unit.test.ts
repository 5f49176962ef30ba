import { globSync, readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import t from 'tap'
import { commonEnv, type EnvProperties, kafkaEnv, readEnv } from '../../shared/runtime/env.ts'
import { stageEnv } from '../../shared/stage/env.ts'

type Entry = { name: string; description: string; value: string }

/** `deploy/example.env` taken apart: a section begins with `# == name`, an entry is a comment line and a `NAME=value` line. */
function readSections(): Map<string, Entry[]> {
  const sections = new Map<string, Entry[]>()
  let [section, description] = ['', '']
  for (const line of readFileSync(new URL('../../deploy/example.env', import.meta.url), 'utf8').split('\n')) {
    const heading = /^# == (.+)$/.exec(line)
    const entry = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line)
    if (heading) {
      section = heading[1] as string
      sections.set(section, [])
    } else if (entry) sections.get(section)?.push({ name: entry[1] as string, description, value: entry[2] as string })
    description = line.startsWith('# ') ? line.slice(2) : ''
  }
  return sections
}

/** Every service's own properties, by its folder's name. */
async function readServices(): Promise<[string, EnvProperties][]> {
  const files = globSync('services/*/env.ts', { cwd: new URL('../..', import.meta.url) }).sort()
  return Promise.all(
    files.map(async (file): Promise<[string, EnvProperties]> => {
      const exported = (await import(`../../${file}`)) as Record<string, EnvProperties>
      const name = Object.keys(exported).find((key) => key.endsWith('Env'))
      return [basename(dirname(file)), exported[name as string] as EnvProperties]
    }),
  )
}

/** Without what an earlier section says already, in the same words. */
const without = (properties: EnvProperties, ...known: EnvProperties[]) =>
  Object.fromEntries(
    Object.entries(properties).filter(
      ([name, { description }]) => !known.some((other) => other[name]?.description === description),
    ),
  )

const described = (properties: EnvProperties) =>
  Object.entries(properties).map(([name, { description }]) => ({ name, description }))

t.test('deploy/example.env lists every variable of every service with its sentence, and no other', async (t) => {
  const sections = readSections()
  const services = await readServices()
  t.same(
    services.map(([name]) => name),
    ['deduplicator', 'gateway', 'merchant-sync', 'normalizer', 'operator', 'token-states'],
  )
  const wanted: [string, EnvProperties][] = [
    ['every process', commonEnv],
    ['every process that talks to Kafka', kafkaEnv],
    ['every stage: normalizer, deduplicator, merchant-sync, token-states', without(stageEnv, commonEnv, kafkaEnv)],
    ...services.map(([name, own]): [string, EnvProperties] => [name, without(own, commonEnv, kafkaEnv, stageEnv)]),
  ]
  for (const [name, properties] of wanted.filter(([, properties]) => Object.keys(properties).length > 0)) {
    const listed = sections.get(name)?.map(({ name, description }) => ({ name, description }))
    t.same(listed, described(properties), `section "# == ${name}"`)
    sections.delete(name)
  }
  t.same([...sections.keys()], [], 'no section without a service')
})

t.test('every value in deploy/example.env is a default or passes its check', async (t) => {
  const values = Object.fromEntries([...readSections().values()].flat().map(({ name, value }) => [name, value]))
  for (const [name, properties] of await readServices()) {
    const env = readEnv(properties, values)
    for (const [variable, { default: byDefault }] of Object.entries(properties)) {
      if (byDefault !== undefined) t.same(env[variable], byDefault, `${name}: ${variable} shows its default`)
      else t.ok(values[variable], `${name}: ${variable} shows an example`)
    }
  }
})
