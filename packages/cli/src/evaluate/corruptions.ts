import { join, resolve } from 'node:path';
import { BulwarkError, type CorruptionResult, type DataSource, type PluginServices } from '@bulwark/core';
import {
  corruptionTable,
  evaluateCorruptions,
  loadCorruptions,
  lockEvaluation,
  saveCorruptions,
  type CorruptionEvaluation,
} from '@bulwark/core/evaluation';
import { checkSpec } from '@bulwark/core/run';
import logUpdate from 'log-update';
import { onInterrupt } from '../terminal/interrupt.js';
import { duration, percent, type Output } from '../terminal/output.js';
import { table } from '../terminal/table.js';
import { parseSpec } from './attack-specs.js';
import type { Target } from './open-target.js';
import { parseImages } from './plan.js';
import { readSettings, type SettingsFlags } from './settings.js';

/** Flags of an evaluation under corruptions. */
export interface CorruptionFlags extends Pick<SettingsFlags, 'images' | 'batch' | 'seed' | 'repeats'> {
  /** The corrupted images, a data source with its options; true: those made of the model's own data. */
  readonly corruptions: string | true;
}

/** Corrupted versions of data sets. */
const corruptedOf: Readonly<Record<string, string>> = { cifar10: 'cifar10-c', cifar100: 'cifar100-c' };

/** The data source that is asked for, its paths relative to the working folder. @throws BulwarkError USAGE, DATA_MISSING, ... */
export async function openCorrupted({ corruptions }: CorruptionFlags, target: Target): Promise<DataSource> {
  const { services, registry, config } = target;
  const text = corruptions === true ? corruptedOf[config.data.use] : corruptions;
  if (text === undefined)
    throw new BulwarkError('USAGE', `--corruptions: no corrupted images are known for ${config.data.use}`, {
      hint: `name a data source that has groups: --corruptions cifar10-c:folder=./CIFAR-10-C; known are those of ${Object.keys(corruptedOf).join(' and ')}`,
    });
  const { use, ...options } = checkSpec(registry, 'data', parseSpec(text), ['corruptions']);
  const here = Object.create(services, { baseFolder: { value: process.cwd() } }) as PluginServices;
  return registry.find('data', use).create(options, here);
}

/** The table of a result: a row for each corruption, a column for each severity. */
export function corruptionReport(result: CorruptionResult): string[] {
  const { mean, rows } = corruptionTable(result);
  const levels = [...new Set(result.groups.map(({ level }) => level))].sort((a, b) => a - b);
  const cells = rows.map(({ name, accuracy, levels: found }) => [
    name,
    ...levels.map((level) => percent(found.find((each) => each.level === level)?.accuracy)),
    percent(accuracy),
  ]);
  const images = result.groups.reduce((sum, group) => sum + group.count, 0);
  return [
    table(['corruption', ...levels.map((level) => `severity ${level} %`), 'mean %'], cells),
    '',
    `mean over ${rows.length} corruptions and their severities: ${percent(mean)} % (${images} images${result.complete ? '' : '; not finished'})`,
    ...(result.arithmetic === undefined ? [] : [`not float32 throughout: ${result.arithmetic}`]),
  ];
}

/** Where the result lies: beside the folder of evaluations, which are of attacks. */
export const corruptionFile = (evaluations: string, data: string): string =>
  join(evaluations.replace(/evaluation(?=([/\\][^/\\]*)?$)/, 'corruptions'), `${data}.json`);

/** The images of each corruption, which have no first ones; undefined for all. @throws BulwarkError USAGE */
function imagesOfEach({ images }: CorruptionFlags): number | undefined {
  const { count, fromStart } = parseImages(images) ?? { count: Infinity, fromStart: false };
  if (count === Infinity || !fromStart) return count === Infinity ? undefined : count;
  throw new BulwarkError('USAGE', `--images ${images}: images of corruptions are spread over each of them`, {
    hint: `write --images ${count}`,
  });
}

/** Measures a target on corrupted images. @throws BulwarkError USAGE, BATCH_INVALID, MODEL_INVALID, INTERRUPTED */
export function measureCorruptions(
  { model }: Target,
  flags: CorruptionFlags,
  given: Pick<CorruptionEvaluation, 'data' | 'previous' | 'save' | 'progress' | 'signal'>,
): Promise<CorruptionResult> {
  const { batchSize, repeats } = readSettings(flags);
  const images = imagesOfEach(flags);
  return evaluateCorruptions({ model, batchSize, repeats, ...(images !== undefined && { images }), ...given });
}

/** Measures a model under common corruptions, reports and saves. */
export async function runCorruptions(
  target: Target,
  flags: CorruptionFlags & { readonly out?: string; readonly fresh?: boolean },
  output: Output,
): Promise<void> {
  const { model } = target;
  const data = await openCorrupted(flags, target);
  const file = resolve(flags.out ?? corruptionFile(target.folder, data.name));
  const lock = lockEvaluation(file);
  const interrupt = onInterrupt(output);
  const live = process.stdout.isTTY && !output.json;
  const clear = () => void (live && logUpdate.clear());
  output.line(`${model.name}, ${target.what}, engine ${target.engine.name}; ${data.name}, no attack`);
  try {
    const previous = flags.fresh ? undefined : loadCorruptions(file);
    if (previous) output.line(`continuing ${file}`);
    const began = performance.now();
    const result = await measureCorruptions(target, flags, {
      ...{ data, signal: interrupt.signal, ...(previous && { previous }) },
      save: (state) => saveCorruptions(file, state),
      progress: ({ group, share }) => {
        const eta = ((performance.now() - began) / 1000 / share) * (1 - share);
        if (live) logUpdate(`${group.name}, severity ${group.level}  ${percent(share)} %  ETA ${duration(eta)}`);
      },
    });
    clear();
    for (const line of corruptionReport(result)) output.line(line);
    output.line(`\nwritten to ${file}`);
    output.result({ file, mean: corruptionTable(result).mean, ...result });
  } finally {
    clear();
    interrupt.release();
    lock.release();
  }
}
