/** The operator's command line, run in this process: what it wrote, and its exit code. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runProgram } from '../../services/operator/command.ts'
import { createProgram } from '../../services/operator/program.ts'
import type { Terminal } from '../../services/operator/terminal.ts'

export type Run = { code: number; out: string; err: string; json: () => Record<string, unknown> }
export type Around = Partial<Pick<Terminal, 'env' | 'now' | 'stopSignal'>> & { input?: string }

export async function operator(args: string[], around: Around = {}): Promise<Run> {
  const out: string[] = []
  const err: string[] = []
  const code = await runProgram(
    {
      out: (text) => void out.push(text),
      err: (text) => void err.push(text),
      screen: undefined,
      input: async () => around.input ?? '',
      env: around.env ?? {},
      now: around.now ?? Date.now,
      who: 'tester@here',
      args,
      stopSignal: around.stopSignal ?? (() => new AbortController().signal),
    },
    createProgram,
  )
  const text = out.join('')
  return { code, out: text, err: err.join(''), json: () => JSON.parse(text) as Record<string, unknown> }
}

/** A folder of the test's own, removed at its end. */
export function temporaryFolder(t: { teardown: (handler: () => void) => void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'operator-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}
