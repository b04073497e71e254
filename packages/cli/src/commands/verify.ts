import { resolve } from 'node:path';
import { BulwarkError, engineNames, useEngine, type EngineName } from '@bulwark/core';
import { Command, Option } from 'commander';
import { createOutput } from '../terminal/output.js';
import { bundledCases } from '../verify/case-files.js';
import { reasons, reportTable, summary } from '../verify/report.js';
import { runCases } from '../verify/run-case.js';
import type { CaseResult } from '../verify/types.js';

interface Flags {
  readonly cases?: string;
  readonly engine: EngineName | 'auto';
  readonly json?: boolean;
}

async function verify(flags: Flags): Promise<void> {
  const output = createOutput(flags);
  const folder = flags.cases === undefined ? bundledCases : resolve(flags.cases);
  const engine = await useEngine(flags.engine);
  output.line(`engine ${engine.name} (${engine.reason}), cases from ${folder}\n`);
  const results: CaseResult[] = [];
  for await (const result of runCases(folder)) results.push(result);
  const failed = results.filter(({ pass }) => !pass).length;
  output.line(reportTable(results));
  for (const reason of reasons(results)) output.line(`\n${reason}`);
  output.line(`\n${summary(results)}`);
  output.result({ engine, folder, cases: results, summary: summary(results) });
  if (failed > 0) process.exitCode = new BulwarkError('NUMERICS_MISMATCH', 'a golden case failed').exitCode;
}

/** `bulwark verify`: is this installation numerically right on this machine? */
export function verifyCommand(): Command {
  return new Command('verify')
    .description('compare this installation with numbers of the official implementations')
    .option('--cases <folder>', 'folder of golden cases instead of the bundled ones')
    .addOption(new Option('--engine <name>', 'engine to check').choices(['auto', ...engineNames]).default('auto'))
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExamples:\n  bulwark verify\n  bulwark verify --cases golden/training --engine wasm')
    .action((flags: Flags) => verify(flags));
}
