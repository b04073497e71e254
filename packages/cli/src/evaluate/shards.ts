import { statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { BulwarkError, type EvaluationResult } from '@bulwark/core';
import { loadEvaluation, mergeEvaluations, saveEvaluation } from '@bulwark/core/evaluation';
import {
  checkJobs,
  chooseLauncher,
  retriesOf,
  runJobs,
  type Job,
  type Launch,
  type LaunchFlags,
} from '../launch/index.js';
import { builtinRegistry } from '../registry.js';
import { onInterrupt } from '../terminal/interrupt.js';
import { numberFlag } from '../terminal/number-flag.js';
import type { Output } from '../terminal/output.js';
import type { Shard } from '../terminal/shard.js';

/** The file of a part beside that of the whole. */
export const shardFile = (file: string, { index, count }: Shard): string =>
  file.replace(/(\.json)?$/, `.shard-${index}-of-${count}.json`);

/** Flags of `evaluate` that say what is measured, by their names in the program. */
const measuring =
  'attacks tier checkpoint config zoo from model data norm epsilon images batch seed repeats engine plugins transferFrom'.split(
    ' ',
  );

/** The parts of an evaluation as jobs, each the same command with its `--shard`. */
export function shardJobs(
  target: string,
  given: { flags: Readonly<Record<string, unknown>>; file: string; name: string; count: number },
): Job[] {
  const { flags, file, name, count } = given;
  const words = measuring.flatMap((flag) => {
    const value = flags[flag] as string | readonly string[] | undefined;
    return value === undefined
      ? []
      : [`--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`, ...[value].flat()];
  });
  return Array.from({ length: count }, (_, i): Job => {
    const part = { index: i + 1, count };
    const result = shardFile(file, part);
    return {
      id: `${name}-shard-${part.index}-of-${count}`,
      steps: [
        {
          arguments: [
            ...['evaluate', resolve(target), '--out', file, '--shard', `${part.index}/${count}`],
            ...(flags['probes'] === false ? ['--no-probes'] : []),
            ...words,
          ],
        },
      ],
      finished: async () => (await loadEvaluation(result))?.complete === true,
    };
  });
}

/** Has every part measured by a job of its own. @returns whether all parts are there */
export async function measureShards(
  path: string,
  given: { flags: LaunchFlags & { readonly shards: string }; file: string; output: Output },
): Promise<boolean> {
  const { flags, file, output } = given;
  const count = numberFlag('shards', flags.shards, { min: 1, integer: true });
  const warn = (text: string) => output.warn(text);
  const chosen = await chooseLauncher(flags, { registry: builtinRegistry(), warn });
  const { signal, release } = onInterrupt(output);
  const root = statSync(path).isDirectory() ? resolve(path) : dirname(resolve(path));
  const launch: Launch = { ...chosen, root, output, signal, retries: retriesOf(flags), wait: flags.wait };
  try {
    const jobs = shardJobs(path, { flags: { ...flags }, file, name: basename(file, '.json'), count });
    const result = await runJobs(jobs, launch);
    checkJobs(result, launch);
    return result.pending.length === 0;
  } finally {
    release();
  }
}

/** The results of all shards as one, written to `file`. @throws BulwarkError USAGE where one is missing or does not fit */
export async function mergeShards(
  file: string,
  text: string,
  request: Parameters<typeof mergeEvaluations>[1],
): Promise<EvaluationResult> {
  const count = numberFlag('merge', text, { min: 1, integer: true });
  const shards: EvaluationResult[] = [];
  for (let index = 1; index <= count; index++) {
    const name = shardFile(file, { index, count });
    const result = await loadEvaluation(name);
    if (!result)
      throw new BulwarkError('USAGE', `${name} is missing`, { hint: `evaluate with --shard ${index}/${count}` });
    shards.push(result);
  }
  const merged = await mergeEvaluations(shards, request);
  await saveEvaluation(file, merged);
  return merged;
}
