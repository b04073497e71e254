import * as tf from '../tensor/index.js';
import type { RawBatch } from '../hooks/index.js';
import type { Plugin } from '../plugins/index.js';
import { createRandom } from '../random.js';
import { contracts, numbers, promise, promiseEqual, promiseNoLeak, scratch, type Contract } from './contract.js';
import { classes, engineOf, imageShape, makePlugin, type ContractOptions } from './fixture.js';
import { definitionContract } from './plugin-contract.js';

const labels = [0, 1, 2, 3, 4, 0];

function rawBatch(): RawBatch {
  const size = imageShape.reduce((product, n) => product * n, labels.length);
  const random = createRandom(5, 'pixels');
  return {
    pixels: Float32Array.from({ length: size }, () => random.next()),
    labels: Int32Array.from(labels),
    indices: Int32Array.from(labels, (_, i) => 10 + i),
    shape: imageShape,
    classes,
  };
}

/** What an augmentation promises: pixels in [0, 1], target rows that sum to 1, and the same change for the same generator; for a part, where it says what it draws. */
export function augmentationContract(plugin: Plugin<'augmentation'>, options: ContractOptions = {}): Contract[] {
  const apply = (seed: number) => makePlugin(plugin, options).apply(rawBatch(), createRandom(seed, 'augmentation'));
  const checks = {
    'keeps shape, labels and the pixel range'() {
      for (let seed = 0; seed < 10; seed++) {
        const batch = apply(seed);
        const before = rawBatch();
        promiseEqual([batch.pixels.length], [before.pixels.length], 'number of pixels');
        if (!batch.targets) promiseEqual(batch.labels, before.labels, 'labels (mixed labels belong into targets)');
        promise(
          batch.labels.every((label) => label >= 0 && label < classes),
          () => `labels become ${[...batch.labels].join(', ')}`,
        );
        const outside = batch.pixels.find((pixel) => !(pixel >= 0 && pixel <= 1));
        promise(outside === undefined, () => `a pixel becomes ${outside}; allowed is [0, 1]`);
        for (let i = 0; batch.targets && i < labels.length; i++) {
          const sum = batch.targets.slice(i * classes, (i + 1) * classes).reduce((a, b) => a + b, 0);
          promise(Math.abs(sum - 1) < 1e-5, () => `a row of targets sums to ${sum}`);
        }
      }
    },
    'notes one draw per example, if any'() {
      for (const [name, draws] of Object.entries(apply(1).drawn ?? {}))
        for (const [draw, { length }] of Object.entries(draws))
          promise(
            length === labels.length,
            () => `drawn.${name}.${draw} has ${length} entries for ${labels.length} examples`,
          );
    },
    'makes the same change from the same generator'() {
      const [a, b] = [apply(1), apply(1)];
      promiseEqual(b.pixels, a.pixels, 'pixels of a second call');
      promiseEqual(b.targets ?? [], a.targets ?? [], 'targets of a second call');
    },
    'changes a part of a batch as in the whole, where it says how much it draws'() {
      const augmentation = makePlugin(plugin, options);
      const { drawsPerImage } = augmentation;
      if (drawsPerImage === undefined) return;
      const batch = rawBatch();
      const from = 2;
      const first = from * (batch.pixels.length / labels.length);
      const random = createRandom(1, 'augmentation');
      for (let i = 0; i < from * drawsPerImage; i++) random.next();
      const rows = { ...batch, pixels: batch.pixels.slice(first), labels: batch.labels.slice(from) };
      const part = augmentation.apply(rows, random);
      promiseEqual(
        part.pixels,
        apply(1).pixels.slice(first),
        `pixels of examples ${from} and on, after ${from} times drawsPerImage numbers`,
      );
    },
    'makes no tensor'() {
      return promiseNoLeak('the augmentation', () => void apply(1));
    },
  };
  return [...definitionContract(plugin as unknown as Plugin, options), ...contracts(engineOf(options), checks)];
}

/** What an optimizer promises: steps downhill in place, state that checkpoints can hold, nothing left behind. */
export function optimizerContract(plugin: Plugin<'optimizer'>, options: ContractOptions = {}): Contract[] {
  /** Minimises |w|^2 / 2, whose gradient is w; `resumeAt` puts the slots into a new optimizer on the way. */
  const minimise = (steps: number, resumeAt = -1) =>
    scratch(() => {
      const weight = tf.variable(tf.tensor2d([1, -2, 3, -4], [2, 2]));
      const untouched = tf.variable(tf.tensor1d([5]));
      let optimizer = makePlugin(plugin, options);
      for (let i = 0; i < steps; i++) {
        if (i === resumeAt) {
          const slots = new Map([...optimizer.slots()].map(([name, slot]) => [name, slot.clone()]));
          optimizer = makePlugin(plugin, options);
          optimizer.restoreSlots(slots);
        }
        const gradients = new Map([['weight', weight.clone() as tf.Tensor]]);
        const parameters = new Map<string, tf.Variable>([
          ['weight', weight],
          ['untouched', untouched],
        ]);
        optimizer.apply(parameters, gradients, optimizer.learningRate * 0.1);
      }
      promiseEqual(numbers(untouched), [5], 'a parameter without a gradient');
      const values = numbers(weight);
      weight.dispose();
      untouched.dispose();
      optimizer.dispose();
      return values;
    });
  const length = (values: number[]) => Math.hypot(...values);
  const checks = {
    'goes downhill, and leaves parameters without a gradient alone'() {
      promise(length(minimise(5)) < length([1, -2, 3, -4]), () => 'five steps on a quadratic go uphill');
    },
    'goes on from its slots as if it had not stopped'() {
      promiseEqual(minimise(4, 2), minimise(4), 'weights after resuming');
    },
    'gives weight decay as gradients'() {
      scratch(() => {
        const optimizer = makePlugin(plugin, options);
        const at = new Map([['weight', tf.tensor1d([1, 2])]]);
        const decayed = optimizer.decayed(new Map([['weight', tf.tensor1d([0, 0])]]), at);
        promise(numbers(decayed.get('weight')!).every(Number.isFinite), () => 'decayed gradients are not finite');
        optimizer.dispose();
      });
    },
  };
  return [...definitionContract(plugin as unknown as Plugin, options), ...contracts(engineOf(options), checks)];
}

/** What a schedule promises: a finite factor, at least 0, that depends on the place in the run only. */
export function scheduleContract(plugin: Plugin<'schedule'>, options: ContractOptions = {}): Contract[] {
  const factors = () => {
    const schedule = makePlugin(plugin, options);
    const at = (epoch: number, step: number) => schedule.factor({ epoch, epochs: 10, step, stepsPerEpoch: 4 });
    const forwards = Array.from({ length: 40 }, (_, i) => at(Math.floor(i / 4), i % 4));
    const backwards = Array.from({ length: 40 }, (_, i) => at(9 - Math.floor(i / 4), 3 - (i % 4))).reverse();
    promiseEqual(backwards, forwards, 'factors asked for in another order');
    return forwards;
  };
  const checks = {
    'gives a finite factor, at least 0, everywhere in a run'() {
      const bad = factors().find((factor) => !(factor >= 0 && Number.isFinite(factor)));
      promise(bad === undefined, () => `a factor is ${bad}`);
    },
    'depends on the place in the run only'() {
      promiseEqual(factors(), factors(), 'factors of a second schedule');
    },
  };
  return [...definitionContract(plugin as unknown as Plugin, options), ...contracts(engineOf(options), checks)];
}
