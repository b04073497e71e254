import {
  findZooEntry,
  whyNotInZoo,
  zooArchitecture,
  zooEntries,
  zooFile,
  zooPath,
  type ZooEntry,
} from '@bulwark/models';
import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { createOutput, type Output } from '../terminal/output.js';
import { table } from '../terminal/table.js';

interface Flags {
  readonly dataset?: string;
  readonly threat?: string;
  readonly json?: boolean;
}

/** The figure that ranks a model, with a mark where it is not AutoAttack's. */
const robustText = ({ robust, external }: ZooEntry) => `${robust.toFixed(2)}${external === null ? '' : '*'}`;

function list(entries: readonly ZooEntry[], output: Output): void {
  output.line(
    table(
      ['model', 'rank', 'architecture', 'clean %', 'robust %', 'eps', 'file, or why not'],
      entries.map((entry) => [
        zooPath(entry),
        entry.rank,
        entry.architecture,
        entry.clean.toFixed(2),
        robustText(entry),
        entry.eps,
        whyNotInZoo(entry) ?? zooFile(entry),
      ]),
    ),
  );
  const built = entries.filter((entry) => whyNotInZoo(entry) === undefined).length;
  output.line(
    `\n${built} of ${entries.length} can be built here. Figures are published ones: AutoAttack, or (*) a stronger evaluation.`,
  );
  output.line('`bulwark models <id>` shows the config; `bulwark evaluate <file> --zoo <id>` attacks it and compares.');
}

function describe(entry: ZooEntry, output: Output): void {
  output.line(`${zooPath(entry)}: ${entry.architecture}, ${entry.venue}`);
  output.line(
    `published: clean ${entry.clean.toFixed(2)} %, robust ${robustText(entry)} %, eps ${entry.eps}, rank ${entry.rank}`,
  );
  const why = whyNotInZoo(entry);
  if (why !== undefined) return output.line(`cannot be built here: ${why}`);
  const model = { ...zooArchitecture(entry), weights: zooFile(entry) };
  output.line(`\n${stringify({ data: { use: entry.dataset }, model }).trimEnd()}`);
}

/** `bulwark models [id]`. */
export function modelsCommand(): Command {
  return new Command('models')
    .description('published robust models of RobustBench: architecture, figures, the file they need')
    .argument('[id]', 'models whose name contains this text; one alone is described with its config')
    .addOption(new Option('--dataset <name>', 'only this data set').choices(['cifar10', 'cifar100']))
    .addOption(new Option('--threat <norm>', 'only this threat model').choices(['Linf', 'L2']))
    .option('--json', 'print as JSON and nothing else')
    .addHelpText(
      'after',
      '\nExamples:\n  bulwark models\n  bulwark models Wang2023Better_WRN-28-10 --dataset cifar10 --threat Linf\n' +
        '  bulwark evaluate Wang2023Better_WRN-28-10.pt --zoo Wang2023Better_WRN-28-10\n' +
        '\nFiles are not downloaded: get them with RobustBench (`load_model`), or by the links of its model zoo.',
    )
    .action((id: string | undefined, flags: Flags) => {
      const output = createOutput(flags);
      const entries = zooEntries().filter(
        (entry) =>
          (id === undefined || zooPath(entry).toLowerCase().includes(id.toLowerCase())) &&
          (flags.dataset === undefined || entry.dataset === flags.dataset) &&
          (flags.threat === undefined || entry.threat === flags.threat),
      );
      if (entries.length === 0 && id !== undefined) findZooEntry(id); // says what is near
      const [only] = entries;
      if (id !== undefined && only && entries.length === 1) describe(only, output);
      else list(entries, output);
      output.result(
        entries.map((entry) => {
          const why = whyNotInZoo(entry);
          return {
            ...entry,
            path: zooPath(entry),
            ...(why === undefined ? { model: zooArchitecture(entry), file: zooFile(entry) } : { why }),
          };
        }),
      );
    });
}
