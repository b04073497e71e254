import { resolve } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { enginesOf } from '@bulwark/core/plugins';
import { Command } from 'commander';
import logUpdate from 'log-update';
import { pluginsOption, registryWith } from '../engines/given.js';
import { parseSpec } from '../evaluate/attack-specs.js';
import { createOutput, duration, type Output } from '../terminal/output.js';
import { bundledCases } from '../verify/case-files.js';
import { reasons, reportTable } from '../verify/report.js';
import type { CaseResult } from '../verify/types.js';
import { verify } from '../verify/verify.js';

interface Flags {
  readonly cases?: string;
  readonly engine: string;
  readonly plugins?: string;
  readonly only?: string;
  readonly json?: boolean;
}

/** From here on a case is worth a line of its own in a log. */
const longSeconds = 10;

/** A live line on a terminal; elsewhere a line for each case that took long. */
function caseProgress(output: Output) {
  const live = !output.json && process.stdout.isTTY;
  return {
    start: (name: string, number: number, count: number) => void (live && logUpdate(`${number}/${count}  ${name}`)),
    done({ name, seconds, pass }: CaseResult) {
      if (!live && seconds >= longSeconds)
        output.line(`${name}: ${pass ? 'passed' : 'failed'}, took ${duration(seconds)}`);
    },
    end: () => void (live && logUpdate.clear()),
  };
}

async function run({ engine, plugins, cases, only, ...flags }: Flags): Promise<void> {
  const output = createOutput(flags);
  const folder = cases === undefined ? bundledCases : resolve(cases);
  const progress = caseProgress(output);
  const report = await verify({
    engine: parseSpec(engine),
    engines: enginesOf(await registryWith(plugins)),
    cases: folder,
    only,
    onEngine: ({ name, reason }) => output.line(`engine ${name} (${reason}), cases from ${folder}\n`),
    onStart: progress.start,
    onResult: progress.done,
  });
  progress.end();
  output.line(reportTable(report.cases));
  for (const reason of reasons(report.cases)) output.line(`\n${reason}`);
  output.line(`\n${report.summary}`);
  output.result(report);
  if (!report.pass) process.exitCode = new BulwarkError('NUMERICS_MISMATCH', 'a golden case failed').exitCode;
}

/** `bulwark verify`: is this installation numerically right on this machine? */
export function verifyCommand(): Command {
  return new Command('verify')
    .description('compare this installation with numbers of the official implementations')
    .option('--cases <folder>', 'folder of golden cases instead of the bundled ones')
    .option('--engine <name>', 'engine to check, options after colons: wasm, wasm:threads=2', 'auto')
    .option(...pluginsOption)
    .option('--only <text>', 'only cases that have this in their names')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  bulwark verify\n  bulwark verify --cases golden/training --engine wasm\n  bulwark verify --only autoattack',
    )
    .action((flags: Flags) => run(flags));
}
