import { join, resolve } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { writeAtomically } from '@bulwark/core/files';
import { Command } from 'commander';
import { addFlagRules } from '../terminal/flag-rules.js';
import { createOutput } from '../terminal/output.js';
import { pluginsOption, type PluginFlags } from '../trust/policy.js';

interface Flags extends PluginFlags {
  readonly out?: string;
  readonly images: string;
  readonly engine?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  bulwark report runs/st
  bulwark report runs/at runs/trades runs/st --out comparison.html
  bulwark report runs/demo --images 0`;

/** `bulwark report <run | runs...>`: one HTML file. */
export function reportCommand(): Command {
  const command = new Command('report');
  addFlagRules(command, {
    flags: ['engine', 'plugins'],
    idle: ({ images }) => (Number(images) === 0 ? '--images 0 opens no model' : undefined),
  });
  return command
    .description('write what runs came to as one HTML file that needs no network')
    .argument('<runs...>', 'run folders, or folders of run folders; finished or not')
    .option('--out <file>', 'file to write (default: report.html in the run folder; here for several runs)')
    .option('--images <n>', 'test images to show with their neighbours; 0 for none, which opens no model', '6')
    .option('--engine <name>', 'engine for the images instead of that of the run')
    .option(...pluginsOption)
    .option('--json', 'print the result as JSON and nothing else')
    .addHelpText('after', examples)
    .action(async (paths: string[], flags: Flags) => {
      const output = createOutput(flags);
      const images = Number(flags.images);
      if (!Number.isInteger(images) || images < 0)
        throw new BulwarkError('USAGE', `--images is ${flags.images}`, { hint: 'give a number of images, 0 or more' });
      // charts take a moment to load, which other commands need not wait for
      const { readRuns } = await import('../report/read-run.js');
      const { openModels } = await import('../report/open-models.js');
      const { page, reportBody } = await import('../report/build-report.js');
      const warn = (text: string) => output.warn(text);
      const runs = await readRuns(paths, warn);
      const opened =
        images > 0 ? await openModels(runs, { images, engine: flags.engine, plugins: flags.plugins, warn }) : undefined;
      const file = resolve(flags.out ?? (runs.length === 1 ? join(runs[0]!.path, 'report.html') : 'report.html'));
      const title = `Bulwark: ${runs.map(({ label }) => label).join(', ')}`;
      writeAtomically(file, page(title, await reportBody(runs, { opened, written: new Date() })));
      output.line(`wrote ${file}`);
      output.result({ file, runs: runs.map(({ path }) => path) });
    });
}
