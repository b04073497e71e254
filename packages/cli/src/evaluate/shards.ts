import { resolve } from 'node:path';
import { loadEvaluation } from '@bulwark/core/evaluation';
import type { Job } from '../launch/index.js';
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
