import { writeAtomically } from '@bulwark/core/files';
import { Command, Option } from 'commander';
import { caption, formats, render, title, type Format } from '../compare/formats.js';
import { compareRuns } from '../compare/group.js';
import { readRuns } from '../compare/read-runs.js';
import { addFlagRules } from '../terminal/flag-rules.js';
import { createOutput } from '../terminal/output.js';
import { table } from '../terminal/table.js';

interface CompareFlags {
  readonly checkpoint: 'best' | 'last';
  readonly source?: string;
  readonly format?: Format;
  readonly out?: string;
  readonly json?: boolean;
}

const examples = `
Runs that differ in nothing but their seed make one row.

Examples:
  bulwark compare runs/at runs/trades runs/st
  bulwark compare runs/st --checkpoint last
  bulwark compare runs/at runs/st --format latex --out table1.tex`;

/** `bulwark compare <runs...>`. */
export function compareCommand(): Command {
  const command = new Command('compare');
  addFlagRules(command, { flags: ['json'], excludes: ['format'] });
  return command
    .description('compare finished runs: mean and 95% confidence interval over seeds')
    .argument('<runs...>', 'run folders, or folders that hold them (as train --seeds makes them)')
    .addOption(new Option('--checkpoint <which>', 'which weights').choices(['best', 'last']).default('best'))
    .option('--source <name>', 'evaluation to read, or summary (default: the most thorough that all runs have)')
    .addOption(new Option('--format <format>', 'print or write the table in this format').choices(formats))
    .option('--out <file>', 'write the table there instead of printing it')
    .option('--json', 'the same as --format json')
    .addHelpText('after', examples)
    .action(async (paths: string[], flags: CompareFlags) => {
      const output = createOutput({});
      const runs = await readRuns(paths, (text) => output.warn(text));
      const comparison = compareRuns(runs, flags);
      for (const { method, seeds } of comparison.rows)
        if (seeds.length === 1) output.warn(`${method}: a single seed has no interval; train it with --seeds 1..5`);
      for (const { run, columns } of comparison.lacking)
        output.warn(
          `${run} has no figure for ${columns.join(', ')}, so its row has none: measure it with the attacks of the others`,
        );
      if (comparison.passedOver) {
        const { source, without } = comparison.passedOver;
        output.warn(
          `the table is of ${comparison.source}, as ${without.join(', ')} ${without.length > 1 ? 'lack' : 'lacks'} ${source}; bulwark evaluate measures it`,
        );
      }
      const format = flags.format ?? (flags.json ? 'json' : flags.out === undefined ? undefined : 'markdown');
      if (flags.out !== undefined) {
        writeAtomically(flags.out, `${render(comparison, format!)}\n`);
        return output.line(`wrote ${flags.out}`);
      }
      if (format !== undefined) return output.line(render(comparison, format));
      const { columns, rows } = comparison;
      const shown = (share: number) => (100 * share).toFixed(2);
      const cells = rows.map(({ method, seeds, estimates }) => [
        method,
        seeds.length,
        ...columns.map((column) => {
          const found = estimates[column];
          if (!found) return '-';
          return `${shown(found.mean)}${found.halfWidth === undefined ? '' : ` ±${shown(found.halfWidth)}`}`;
        }),
      ]);
      output.line(table(['method', 'seeds', ...columns.map(title)], cells));
      output.line(`\n${caption(comparison)}`);
    });
}
