/** Java and the jars of Apache Kafka: checked and fetched once, then kept in `.local/kafka`. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from './installed-program.ts'
import { isAlive, startOwned } from './owned-process.ts'

const pomFile = join(import.meta.dirname, 'pom.xml')
const oldestJava = 17
const copyGoal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'

/** The version of the machine's Java, like `17.0.15`. Throws one sentence that says what to install. */
export function javaVersion(): string {
  const install = `Kafka needs Java ${oldestJava} or newer; on Debian: apt-get install openjdk-17-jre-headless`
  const { error, stdout, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  if (error) throw new Error(`Java is not on the PATH. ${install}`)
  const version = /version "([^"]+)"/.exec(`${stderr}${stdout}`)?.[1] ?? '(unknown version)'
  // Before 9 it called itself 1.8.
  const major = Number.parseInt(version.replace(/^1\./, ''), 10)
  if (!(major >= oldestJava)) throw new Error(`Java ${version} is too old. ${install}`)
  return version
}

/**
 * The class path of Kafka: the jars that pom.xml names, by Maven. They are copied beside the final folder and moved there in one step, so that
 * an interrupted fetch leaves nothing that looks complete; a changed pom.xml fetches anew.
 */
export async function kafkaClassPath(folder: string, log: (line: string) => void): Promise<string> {
  const libs = join(folder, 'libs')
  if (!isFetched(libs)) {
    log('Fetching Apache Kafka by Maven (54 MB, once) …')
    const begin = Date.now()
    await fetchJars(folder, libs)
    log(`Fetched Apache Kafka in ${Math.round((Date.now() - begin) / 1000)} s.`)
  }
  return join(libs, '*')
}

function isFetched(libs: string): boolean {
  const pomOfLibs = join(libs, 'pom.xml')
  return existsSync(pomOfLibs) && readFileSync(pomOfLibs, 'utf8') === readFileSync(pomFile, 'utf8')
}

async function fetchJars(folder: string, libs: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  removeRemains(folder)
  const fetched = join(folder, `libs.${process.pid}.tmp`)
  mkdirSync(fetched)
  try {
    await copyDependencies(fetched, join(folder, 'maven.log'))
    writeFileSync(join(fetched, 'pom.xml'), readFileSync(pomFile))
    // Another command may have fetched them meanwhile, and use them.
    if (isFetched(libs)) return
    rmSync(libs, { recursive: true, force: true })
    renameSync(fetched, libs)
  } finally {
    rmSync(fetched, { recursive: true, force: true })
  }
}

function removeRemains(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = /\.(\d+)\.tmp$/.exec(name)?.[1]
    if (pid && !isAlive(Number(pid))) rmSync(join(folder, name), { recursive: true, force: true })
  }
}

async function copyDependencies(into: string, logFile: string): Promise<void> {
  if (!findProgram('mvn')) throw new Error('Maven is not on the PATH; it fetches Kafka. On Debian: apt-get install maven')
  const args = ['-B', '-q', '-f', pomFile, copyGoal, '-DincludeScope=runtime', `-DoutputDirectory=${into}`]
  const maven = await startOwned({ name: 'Maven', command: 'mvn', args, logFile })
  const { code } = await maven.exited
  if (code !== 0) throw new Error(explainMaven(maven.output(), logFile))
}

function explainMaven(output: string, logFile: string): string {
  if (/No space left on device/i.test(output)) return 'The disk is full: Kafka needs about 200 MB.'
  const error = /\[ERROR\] (.*)/.exec(output)?.[1] ?? output.trim().split('\n').at(-1) ?? ''
  if (/UnknownHost|Unknown host|Connection refused|timed out|Network is unreachable|Could not transfer/i.test(output))
    return `Maven Central cannot be reached, and Kafka is not fetched yet. Maven said: ${error.slice(0, 300)}`
  return `Maven could not fetch Kafka: ${error.slice(0, 300)} (log: ${logFile}).`
}
