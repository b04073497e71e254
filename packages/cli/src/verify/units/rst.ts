import type { Random } from '@bulwark/core';
import { pseudoLabels, rstSampler } from '@bulwark/datasets';
import { exact } from '../comparison.js';
import { malformed, numbersOf, objectField, type Golden } from '../golden.js';
import { refuseUnknown, type UnitRunner } from './unit.js';

/** Images in a labelled epoch of RST, whatever the data: an epoch is as long as CIFAR-10's. */
const epochImages = 50_000;

/** Replays logged draws: permutations whole, positions one by one. */
function recordedDraws(draws: readonly (readonly [kind: string, values: number[]])[]): Random {
  const permutations = draws.filter(([kind]) => kind !== 'unsupPositions').map(([, values]) => values);
  const positions = draws.filter(([kind]) => kind === 'unsupPositions').flatMap(([, values]) => values);
  const never = (): never => {
    throw malformed('the sampler draws something that the case does not record');
  };
  const next = <T>(rest: T[]): T => rest.shift() ?? never();
  return {
    permutation(n) {
      const order = Int32Array.from(next(permutations));
      if (order.length !== n) throw malformed(`the sampler permutes ${n} examples; recorded are ${order.length}`);
      return order;
    },
    integer: () => next(positions),
    next: never,
    uniform: never,
    normal: never,
    state: () => [],
    restore: never,
  };
}

/** `unit-rst`: the authors' sampler with logged draws, pseudo-labels, and the length of an epoch. */
export const rstUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['sampler', 'pseudoLabels', 'epoch']);
  (json['sampler'] as Golden[]).forEach((item, i) => {
    const sizes = ['numLabeled', 'numUnlabeled', 'batchSize', 'unsupFraction', 'numBatches'];
    refuseUnknown(comparison, item, [...sizes, 'supPerBatch', 'draws', 'batches']);
    const [labelled, unlabelled, batchSize, unlabelledFraction, batchesPerEpoch] = sizes.map((name) =>
      Number(item[name]),
    ) as [number, number, number, number, number];
    const sampler = rstSampler({ labelled, unlabelled, unlabelledFraction, batchesPerEpoch }, { batchSize });
    const batches = sampler.epoch(recordedDraws(item['draws'] as [string, number[]][]));
    (item['batches'] as number[][]).forEach((expected, j) =>
      comparison.compare({ quantity: 'batches', part: `sampler[${i}].batches[${j}]` }, batches[j], expected, exact),
    );
  });
  const pseudo = objectField(json, 'pseudoLabels');
  const logits = pseudo['logits'] as { shape: [number, number] };
  const { labels } = pseudoLabels(numbersOf(logits, 'logits'), logits.shape[1]);
  comparison.compare({ quantity: 'pseudo-labels' }, labels, numbersOf(pseudo['labels'], 'labels'), exact);
  for (const [name, expected] of Object.entries(objectField(json, 'epoch'))) {
    const [, size] = /^batchSize(\d+)$/.exec(name) ?? [];
    if (size)
      comparison.compare(
        { quantity: 'epoch', part: name },
        Math.ceil(epochImages / Number(size)),
        Number(expected),
        exact,
      );
    else refuseUnknown(comparison, { [name]: expected }, []);
  }
};
