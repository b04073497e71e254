import { fork } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BulwarkError } from '@bulwark/core';
import { Command } from 'commander';
import logUpdate from 'log-update';
import { demoConfig, demoMethods, type DemoMethod } from '../demo/configs.js';
import { demoTable } from '../demo/table.js';
import type { DemoMessage, DemoResult } from '../demo/run-method.js';
import { createOutput, duration, percent, type Output } from '../terminal/output.js';

interface DemoFlags {
  readonly seed: string;
  readonly jobs: string;
  readonly out: string;
  readonly methods: string;
  readonly json?: boolean;
}

const worker = fileURLToPath(new URL('../demo/worker.js', import.meta.url));

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
      output.line(
        `${methods.length} methods, ${(data as { use: string }).use}, ${String(model)}, ${threat.norm} epsilon ${threat.epsilon}, ${epochs} epochs, engine wasm`,
      );
      const began = Date.now();
      const results = await runAll(methods, { seed: flags.seed, jobs: Number(flags.jobs), folder, output });
      writeFileSync(join(folder, 'demo.json'), `${JSON.stringify(results, null, 2)}\n`);
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
      cure: 'name some of these',
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

async function runAll(
  methods: readonly DemoMethod[],
  options: { seed: string; jobs: number; folder: string; output: Output },
): Promise<DemoResult[]> {
  // the costliest first, so that the processes end together
  const waiting = [...methods].sort((a, b) => demoMethods.indexOf(b) - demoMethods.indexOf(a));
  const results = new Map<DemoMethod, DemoResult>();
  const shares = new Map<DemoMethod, number>();
  const show = process.stdout.isTTY && !options.output.json;
  const draw = () => {
    if (show)
      logUpdate([...shares].map(([method, share]) => `${method.padEnd(8)} ${percent(share).padStart(6)}%`).join('   '));
  };
  const work = async () => {
    for (let method = waiting.shift(); method; method = waiting.shift()) {
      const name = method;
      results.set(
        name,
        await runOne(name, options, (message) => {
          if (message.kind === 'step') shares.set(name, message.done / message.total);
          if (message.kind === 'epoch') {
            if (show) logUpdate.clear();
            const { epoch, loss } = message.metrics;
            options.output.line(
              `${name.padEnd(8)} epoch ${epoch}  loss ${loss.toFixed(4)}  ${duration(message.seconds)}`,
            );
          }
          draw();
        }),
      );
      shares.delete(name);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, options.jobs) }, work));
  if (show) logUpdate.clear();
  return methods.map((method) => results.get(method)!);
}

function runOne(
  method: DemoMethod,
  options: { seed: string; folder: string },
  on: (message: DemoMessage) => void,
): Promise<DemoResult> {
  return new Promise((done, failed) => {
    const child = fork(worker, [method, options.seed, options.folder], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const stop = () => child.kill('SIGTERM');
    process.once('exit', stop);
    let outcome: DemoMessage | undefined;
    child.on('message', (message: DemoMessage) => {
      if (message.kind === 'result' || message.kind === 'failed') outcome = message;
      on(message);
    });
    child.on('exit', (code) => {
      process.off('exit', stop);
      if (outcome?.kind === 'result') done(outcome.result);
      else
        failed(
          new BulwarkError(
            'INTERRUPTED',
            `the demo's ${method} run ended early: ${outcome?.kind === 'failed' ? outcome.message : `exit code ${code}`}`,
          ),
        );
    });
  });
}
