import { BulwarkError, installTensorflow, listInstalled, loadTensorflow, removeInstalled } from '@bulwark/core';
import type { InstalledEngine } from '@bulwark/core';
import { Command } from 'commander';
import { createOutput, duration } from '../terminal/output.js';
import { table } from '../terminal/table.js';

function requireTensorflow(name: string): void {
  if (name === 'tensorflow') return;
  throw new BulwarkError(
    'USAGE',
    `engine ${JSON.stringify(name)} cannot be installed or removed; only tensorflow can`,
    {
      cure: 'wasm and cpu are always there; webgpu comes with npm install',
    },
  );
}

const row = (engine: InstalledEngine): string[] => [
  engine.gpu ? 'gpu' : 'cpu',
  engine.tensorflow,
  engine.source,
  `${Math.round(engine.bytes / 1e6)} MB`,
  engine.folder,
];

interface InstallFlags {
  gpu?: boolean;
  from?: string;
  force?: boolean;
  json?: boolean;
}

function installCommand(): Command {
  return new Command('install')
    .description("make the native engine loadable: the official download, or a build against a Python wheel's library")
    .argument('<engine>', 'tensorflow')
    .option('--gpu', 'with CUDA')
    .option('--from <source>', 'cdn, pip, or the path of a TensorFlow (default: cdn where it answers, else pip)')
    .option('--force', 'install again although a working one is there')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  bulwark engine install tensorflow\n  bulwark engine install tensorflow --from pip\n' +
        '  bulwark engine install tensorflow --gpu --from ~/venv/bin/python',
    )
    .action(async (name: string, { json, ...options }: InstallFlags) => {
      requireTensorflow(name);
      const output = createOutput({ json });
      const began = Date.now();
      const engine = await installTensorflow({ ...options, progress: (line) => output.line(line) });
      output.line(
        `TensorFlow ${engine.tensorflow} (${engine.source}) is ready after ${duration((Date.now() - began) / 1000)}`,
      );
      output.line('engine: auto uses it from now on');
      output.result(engine);
    });
}

function listCommand(): Command {
  return new Command('list')
    .description('list installed native engines, and say which would be used or why none')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  bulwark engine list')
    .action(async (flags: { json?: boolean }) => {
      const output = createOutput(flags);
      const installed = listInstalled();
      if (installed.length > 0)
        output.line(table(['device', 'TensorFlow', 'source', 'size', 'folder'], installed.map(row)));
      const load = await loadTensorflow();
      if (load.available)
        output.line(
          `in use: TensorFlow ${load.engine.version} on ${load.engine.gpu ? 'GPU' : 'CPU'}, ${load.engine.origin}`,
        );
      else {
        output.line('the tensorflow engine is not available:');
        for (const { candidate, reason } of load.refusals) output.line(`  ${candidate}: ${reason}`);
        output.line('`bulwark engine install tensorflow` makes it so');
      }
      output.result({ installed, load });
    });
}

function removeCommand(): Command {
  return new Command('remove')
    .description("remove an installed native engine from Bulwark's cache folder")
    .argument('<engine>', 'tensorflow')
    .addHelpText('after', '\nExample:\n  bulwark engine remove tensorflow')
    .action(async (name: string) => {
      requireTensorflow(name);
      const removed = await removeInstalled();
      const output = createOutput({});
      output.line(
        removed.length === 0 ? 'nothing was installed' : `removed ${removed.map(({ folder }) => folder).join(', ')}`,
      );
    });
}

/** `bulwark engine install | list | remove`. */
export function engineCommand(): Command {
  const root = new Command('engine')
    .description('install, list or remove native engines')
    .addHelpText('after', '\nExamples:\n  bulwark engine list\n  bulwark engine install tensorflow');
  for (const command of [installCommand(), listCommand(), removeCommand()]) root.addCommand(command.exitOverride());
  return root;
}
