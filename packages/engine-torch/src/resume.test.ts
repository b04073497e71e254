import { expect } from '@jest/globals';
import { contents, interrupted, uninterrupted } from '../../cli/src/train/resuming.js';
import { startTiny } from '../../cli/src/train/testing.js';
import { whenAvailable } from '../test/kit.js';

const engine = { use: 'torch', threads: 1, deterministic: true };
const inner = { steps: 1, stepSize: 0.1 };

// what has state of its own: momentum, an average, weights that are moved and put back, passes with Winograd convolution
whenAvailable.each<[string, Record<string, unknown>]>([
  ['AT on wide layers', { model: { use: 'small-cnn', width: 64 } }],
  [
    'TRADES with AWP, momentum and an average',
    {
      objective: { use: 'trades', inner },
      weightPerturber: 'awp',
      optimizer: { use: 'sgd', learningRate: 0.05, nesterov: true },
      averaging: { use: 'ema', decay: 0.9 },
    },
  ],
  ['accumulated gradients', { data: { use: 'tiny', batchSize: 16, accumulate: 3 } }],
])('a resumed deterministic run equals an uninterrupted one bit for bit: %s', async (_name, over) => {
  const config = { ...over, engine };
  const whole = await uninterrupted(config);
  const pieces = await interrupted(config, 2);
  expect(pieces.count).toBeGreaterThan(1);
  expect(contents(pieces.folder)).toEqual(contents(whole));
});

whenAvailable('the summary of another run says that it need not', async () => {
  const train = async (deterministic: boolean) => {
    const run = await startTiny({ engine: { ...engine, deterministic }, epochs: 1 });
    const { summary } = await run.train();
    run.dispose();
    return summary!.repeatable;
  };
  expect(await train(false)).toBe(false);
  expect(await train(true)).toBeUndefined();
});
