/**
 * What every npm script runs first, with the Node that the machine happens to have (20 or newer): brings node_modules up to
 * package-lock.json, then hands over to the project's own Node 24 (npm package `node`), which runs TypeScript itself.
 *
 *   node deploy/local/bootstrap.mjs <script.ts> [arguments…]
 *
 * Plain JavaScript without dependencies, because nothing is installed yet. The npm scripts call it with `exec`, so that signals
 * sent to npm reach it instead of a shell in between.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const modules = join(root, 'node_modules')
const ownNode = join(modules, '.bin/node')
const neededBytes = 800 * 1024 * 1024
const diskFull = `The disk is full: npm packages and Kafka need 800 MB in ${root}.`
const [script, ...args] = process.argv.slice(2)

if (Number(process.versions.node.split('.')[0]) < 20) fail(`Node 20 or newer is needed; this is ${process.version}.`)
if (script === undefined) fail('Usage: node deploy/local/bootstrap.mjs <script.ts> [arguments…]')
if (!isInstalled()) await withInstallLock(install)
run()

/**
 * npm writes node_modules/.package-lock.json at the end of a complete install, and our `prepare` makes .tap: the same versions there
 * and in package-lock.json mean that nothing is to do, whoever installed it. Optional packages of other platforms are not in it.
 */
function isInstalled() {
  const installed = readLock(join(modules, '.package-lock.json'))
  if (!installed || !existsSync(ownNode) || !existsSync(join(root, '.tap/plugins'))) return false
  const wanted = Object.entries(readLock(join(root, 'package-lock.json')) ?? {}).filter(([path]) => path !== '')
  return wanted.every(([path, { version, optional }]) => (installed[path] ? installed[path].version === version : optional))
}

function readLock(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}

/** Two commands in a fresh clone must not install into each other's node_modules; the second waits and then finds all there. */
async function withInstallLock(work) {
  const lock = join(root, '.local/npm-ci.lock')
  mkdirSync(dirname(lock), { recursive: true })
  for (let said = false; ; said = true) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') fail(explain(error.message))
    }
    const owner = Number(readFileSync(lock, { encoding: 'utf8', flag: 'a+' }))
    if (owner > 0 && !isAlive(owner)) rmSync(lock, { force: true })
    if (!said) say(`Waiting for another npm ci here (process ${owner}) …`)
    await sleep(500)
  }
  process.on('exit', () => rmSync(lock, { force: true }))
  if (!isInstalled()) await work()
  rmSync(lock, { force: true })
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/**
 * Development packages too, and install scripts whatever the user's npm settings say: `node` brings its binary by one. Errors are said even
 * under `npm --silent`, which hands its level on, and a registry that is away is given up in seconds.
 */
async function install() {
  const { bavail, bsize } = statfsSync(root)
  if (bavail * bsize < neededBytes) fail(diskFull)
  say('Installing npm packages from package-lock.json (a minute the first time) …')
  const begin = Date.now()
  const options = [
    '--include=dev',
    '--ignore-scripts=false',
    '--loglevel=error',
    '--fetch-retry-mintimeout=2000',
    '--fetch-retry-maxtimeout=8000',
  ]
  const npm = spawn('npm', ['ci', ...options], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  stopWith(npm)
  let output = ''
  for (const stream of [npm.stdout, npm.stderr]) stream.on('data', (chunk) => (output = (output + chunk).slice(-20_000)))
  const code = await new Promise((done) => {
    npm.on('error', (error) =>
      fail(
        error.code === 'ENOENT' ? 'npm is not on the PATH: install Node with npm, on Debian: apt-get install npm' : error.message,
      ),
    )
    npm.on('close', (status, signal) => done(signal ?? status))
  })
  if (typeof code === 'string') fail(`npm ci was stopped by ${code}.`)
  if (code !== 0) fail(explain(output))
  if (!isInstalled())
    fail(`npm ci ended well but ${ownNode} or tap is not complete: try npm rebuild, or remove node_modules and start again.`)
  say(`Installed npm packages in ${Math.round((Date.now() - begin) / 1000)} s.`)
}

function explain(output) {
  if (/ENOSPC|no space left/i.test(output)) return diskFull
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ECONNRESET|network/i.test(output))
    return `The npm registry cannot be reached, and the packages are not installed yet. npm said: ${lastError(output)}`
  if (/EACCES|EPERM|EROFS/.test(output)) return `${root} cannot be written by this user. npm said: ${lastError(output)}`
  return `npm ci failed: ${lastError(output)}`
}

/** The lines of npm's report that say what went wrong. */
function lastError(output) {
  const lines = output.split('\n').map((line) => line.replace(/^npm error ?/, '').trim())
  const telling = lines.filter((line) => /error|failed|missing|must|can only|^command/i.test(line))
  return telling.slice(0, 3).join(' / ') || (lines.findLast((line) => line !== '') ?? '')
}

/**
 * Hands over: Node 24, first on the PATH for what the script starts, too. The exit code or signal becomes ours. What Node has compiled is kept, types
 * stripped: each process starts in half of the time, with 25 MB less.
 */
function run() {
  const own = {
    PATH: [join(modules, '.bin'), process.env.PATH].join(delimiter),
    NODE_COMPILE_CACHE: join(root, '.local/compiled'),
  }
  const env = { ...process.env, ...own }
  const child = spawn(ownNode, [resolve(root, script), ...args], { stdio: 'inherit', env })
  stopWith(child)
  child.on('error', (error) => fail(`${ownNode} does not start (${error.code}): remove node_modules and start again.`))
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

/** Forwards signals. When npm, our parent, was killed the hard way, nobody else would tell the child to stop. */
function stopWith(child) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  if (!process.env.npm_lifecycle_event) return
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), 500).unref()
}

function say(text) {
  process.stderr.write(`${text}\n`)
}

function fail(text) {
  say(text)
  process.exit(1)
}
