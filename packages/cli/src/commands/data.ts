import { resolve } from 'node:path';
import { countOf, type DataSource } from '@bulwark/core';
import { writeAtomically } from '@bulwark/core/files';
import { describeData, encodePng, fetchDataSet, sampleSheet, type SplitFacts } from '@bulwark/datasets';
import { Command } from 'commander';
import { override } from '../config/override.js';
import { fetchProgress } from '../data/fetch-progress.js';
import { openSource } from '../data/open-source.js';
import { builtinRegistry } from '../registry.js';
import { createOutput } from '../terminal/output.js';
import { table } from '../terminal/table.js';

interface FetchFlags {
  readonly from?: string;
  readonly force?: boolean;
  readonly unchecked?: boolean;
  readonly json?: boolean;
}

interface InfoFlags {
  readonly folder?: string;
  readonly set: string[];
  /** A path, or false with --no-sheet. */
  readonly sheet?: string | false;
  readonly json?: boolean;
}

/** `bulwark data fetch <name>`. */
function fetchCommand(): Command {
  return new Command('fetch')
    .description('bring a published data set to this machine: cifar10, cifar100, svhn, fashion-mnist, mnist')
    .argument('<name>', 'data set')
    .option('--from <place>', 'a mirror (http or https) or a folder instead of the official place')
    .option('--force', 'replace a copy that is there')
    .option('--unchecked', 'take files whose checksum is not the published one')
    .option('--json', 'print the result as JSON and nothing else')
    .addHelpText(
      'after',
      '\nIt is kept in $BULWARK_DATA, else in ~/.cache/bulwark/data. An interrupted download goes on where it stopped.\n' +
        '\nExamples:\n  bulwark data fetch cifar10\n  bulwark data fetch fashion-mnist --from /usr/share/datasets/fashion-mnist',
    )
    .action(async (name: string, flags: FetchFlags) => {
      const output = createOutput(flags);
      const progress = fetchProgress(output);
      const { json: _json, ...options } = flags;
      const fetched = await fetchDataSet(name, { ...options, onProgress: progress.show }).finally(progress.end);
      output.line(fetched.isNew ? `${name} is in ${fetched.folder}` : `${name} was there already: ${fetched.folder}`);
      output.line(`next: bulwark data info ${name}`);
      output.result({ name, ...fetched });
    });
}

const numbers = (values: readonly number[]) => values.map((value) => value.toFixed(4)).join(' ');

/** The largest and smallest class, which shows imbalance at a glance. */
const balance = ({ perClass }: SplitFacts) => {
  const [low, high] = [Math.min(...perClass), Math.max(...perClass)];
  return low === high ? `${low}` : `${low} to ${high}`;
};

function writeSheet(data: DataSource, path: string): string {
  const { data: pixels, shape } = sampleSheet(countOf(data.train) > 0 ? data.train : data.test, {
    classes: data.classNames.length,
  });
  writeAtomically(path, encodePng(pixels, shape));
  return resolve(path);
}

/** `bulwark data info <name>`. */
function infoCommand(): Command {
  return new Command('info')
    .description('counts, classes, mean and standard deviation of a data set, and a sheet of sample images')
    .argument('<name>', 'data source, as in `data: { use: <name> }` of a config')
    .option('--folder <folder>', 'where its files are')
    .option(
      '--set <option=value>',
      'an option of the data source; may be repeated',
      (value: string, all: string[]) => [...all, value],
      [],
    )
    .option('--sheet <file>', 'where to write the sample images (default: <name>-samples.png)')
    .option('--no-sheet', 'write no sample images')
    .option('--json', 'print as JSON and nothing else')
    .addHelpText(
      'after',
      '\nExamples:\n  bulwark data info fashion-mnist-mini\n  bulwark data info image-folder --folder photos --set channels=1',
    )
    .action(async (name: string, flags: InfoFlags) => {
      const output = createOutput(flags);
      const spec = override({ use: name, ...(flags.folder !== undefined && { folder: flags.folder }) }, flags.set);
      const data = await openSource({ ...spec, use: name }, { registry: builtinRegistry(), warn: output.warn });
      const facts = describeData(data);
      const sheet = flags.sheet === false ? undefined : writeSheet(data, flags.sheet ?? `${name}-samples.png`);
      output.line(`${data.name}: images ${data.shape.join('x')}, ${data.classNames.length} classes`);
      output.line(
        table(
          ['split', 'images', 'per class', 'no label', 'mean', 'std'],
          facts.map((fact) => [
            fact.split,
            fact.count,
            balance(fact),
            fact.unlabelled,
            numbers(fact.mean),
            numbers(fact.std),
          ]),
        ),
      );
      output.line(`classes: ${data.classNames.join(', ')}`);
      for (const note of data.notes ?? []) output.line(note);
      if (sheet) output.line(`sample images, one row for each class: ${sheet}`);
      output.result({
        name: data.name,
        shape: data.shape,
        classNames: data.classNames,
        splits: facts,
        notes: data.notes,
        sheet,
      });
    });
}

/** `bulwark data fetch` and `bulwark data info`. */
export function dataCommand(): Command {
  return new Command('data')
    .description('fetch data sets and look at them')
    .addHelpText('after', '\nExamples:\n  bulwark data info fashion-mnist-mini\n  bulwark data fetch cifar10')
    .addCommand(fetchCommand().exitOverride())
    .addCommand(infoCommand().exitOverride());
}
