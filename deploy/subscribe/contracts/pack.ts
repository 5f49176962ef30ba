/**
 * `npm run pack:contracts`: what a TypeScript team installs. shared/contracts and the opening half of shared/security, as JavaScript and
 * declarations (Node strips no types under node_modules), with ajv as the only dependency. Prints the tarball's path.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { localDir, projectRoot } from '../../local/start-stack.ts'

/** Within v1 of the topics only optional members are added: a minor version each. */
const version = '1.0.0'
const outDir = join(localDir, 'contracts')
const packageDir = join(outDir, 'package')
const run = (program: string, args: string[]) =>
  execFileSync(join(projectRoot, 'node_modules/.bin', program), args, { stdio: ['ignore', 'inherit', 'inherit'] })

rmSync(outDir, { recursive: true, force: true })
run('tsc', ['-p', join(import.meta.dirname, 'tsconfig.json')])
writeFileSync(join(packageDir, 'package.json'), `${JSON.stringify(manifest(), undefined, 2)}\n`)
cpSync(join(import.meta.dirname, 'README.md'), join(packageDir, 'README.md'))
const [packed] = JSON.parse(
  execFileSync('npm', ['pack', '--json', '--pack-destination', outDir], { cwd: packageDir, encoding: 'utf8' }),
) as [{ filename: string }]
process.stdout.write(`${join(outDir, packed.filename)}\n`)

function manifest(): object {
  const { dependencies } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const entry = (path: string) => ({ types: `./${path}.d.ts`, default: `./${path}.js` })
  return {
    name: 'token-event-contracts',
    version,
    description:
      'Types, JSON Schemas and validators of token-events.v1, token-states.v1 and merchant-sync.v1, and the key to their sealed part',
    license: 'UNLICENSED',
    type: 'module',
    engines: { node: '>=20.10' },
    exports: {
      './types': entry('contracts/types'),
      './validate': entry('contracts/validate'),
      './token-state': entry('contracts/token-state'),
      './topics': entry('contracts/topics'),
      './headers': entry('contracts/headers'),
      './keys': entry('security/keys'),
      './open-credentials': entry('security/open-credentials'),
      './schemas/*': './contracts/schemas/*',
    },
    dependencies: { ajv: `^${dependencies.ajv}`, 'ajv-formats': `^${dependencies['ajv-formats']}` },
  }
}
