import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { writeAtomically } from '@bulwark/core/files';
import { counted } from '@bulwark/core/plugins';
import { Command } from 'commander';
import { demoConfig, demoMethods, type DemoMethod } from '../demo/configs.js';
import { demoTable } from '../demo/table.js';
import { runAll } from '../demo/run-all.js';
import { numberFlag } from '../terminal/number-flag.js';
import { createOutput, duration } from '../terminal/output.js';

interface DemoFlags {
  readonly seed: string;
  readonly jobs: string;
  readonly out: string;
  readonly methods: string;
  readonly json?: boolean;
}

/** `bulwark demo`: natural, AT, TRADES and ST on the bundled images, then the table that shows the point. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('train natural, AT, TRADES and ST on bundled images and compare them under attack')
    .option('--seed <n>', 'seed of all four runs', '1')
    .option('--jobs <n>', 'runs at the same time', String(Math.min(2, availableParallelism())))
    .option('--methods <names>', 'comma-separated part of the methods', demoMethods.join(','))
    .option('--out <folder>', 'folder for the four runs; replaced if it holds an earlier demo', 'runs/demo')
    .option('--json', 'print the result as JSON and nothing else')
    .addHelpText('after', '\nExamples:\n  bulwark demo\n  bulwark demo --seed 2 --methods trades,st')
    .action(async (flags: DemoFlags) => {
      const output = createOutput(flags);
      const methods = chosen(flags.methods);
      const folder = prepareFolder(resolve(flags.out));
      const { data, model, threat, epochs } = demoConfig('st', 1);
      const { norm, epsilon } = [threat].flat()[0]!;
      output.line(
        `${counted(methods.length, 'method')}, ${(data as { use: string }).use}, ${String(model)}, ${norm} epsilon ${epsilon}, ${counted(epochs, 'epoch')}, engine wasm`,
      );
      const began = Date.now();
      const jobs = numberFlag('jobs', flags.jobs, { min: 1, integer: true });
      const results = await runAll(methods, { seed: flags.seed, jobs, folder, output });
      writeAtomically(join(folder, 'demo.json'), `${JSON.stringify(results, null, 2)}\n`);
      output.line();
      output.line(demoTable(results));
      output.line(`\ndone in ${duration((Date.now() - began) / 1000)}; runs are in ${folder}`);
      output.line('more methods, several seeds and AutoAttack: docs/reproduction.md in the repository');
      output.result(results);
    });
}

function chosen(names: string): DemoMethod[] {
  const methods = names.split(',').map((name) => name.trim());
  const unknown = methods.find((name) => !(demoMethods as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new BulwarkError('USAGE', `--methods has ${JSON.stringify(unknown)}; known: ${demoMethods.join(', ')}`, {
      hint: 'name some of these',
    });
  return methods as DemoMethod[];
}

/** An earlier demo is replaced; anything else is left alone. */
function prepareFolder(folder: string): string {
  const earlier = demoMethods.map((method) => join(folder, `demo-${method}`)).filter(existsSync);
  for (const run of earlier) rmSync(run, { recursive: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}
