#!/usr/bin/env node
import { runProgram } from './command.ts'
import { createProgram } from './program.ts'
import { processTerminal } from './terminal.ts'

if (import.meta.main) process.exitCode = await runProgram(processTerminal(process), createProgram)
