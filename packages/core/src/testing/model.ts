import * as tf from '../tensor/index.js';
import { disposeBatch } from '../batch.js';
import { logitGradients, logitsOf, type Classifier, type Mode } from '../classifier/index.js';
import { crossEntropy } from '../loss/index.js';
import type { Plugin } from '../plugins/index.js';
import { createRandom } from '../random.js';
import { createSgd, restoreModel, takeSnapshot } from '../trainer/index.js';
import { initialState } from '../trainer/snapshot.js';
import {
  contracts,
  numbers,
  promise,
  promiseEqual,
  promiseNoLeak,
  promiseTensor,
  scratch,
  type Contract,
} from './contract.js';
import { valuesOf } from './craft.js';
import {
  classes,
  engineOf,
  fixtureBatch,
  imageShape as defaultShape,
  makePlugin,
  type ContractOptions,
} from './fixture.js';
import { definitionContract } from './plugin-contract.js';
import type { Objective } from '../hooks/index.js';

const h = 1e-2;

const noObjective: Objective = { inner: { produces: [], craft: () => ({ points: {} }) }, passes: [], terms: [] };

/** What a model promises: logits, three modes of normalisation, right gradients, and nothing left behind. */
export function modelContract(plugin: Plugin<'model'>, options: ContractOptions = {}): Contract[] {
  const { imageShape = defaultShape } = options;
  /** Makes the model, runs `use` on it, and frees it. */
  const on = async <T>(use: (model: Classifier) => T | Promise<T>): Promise<T> => {
    const model = await makePlugin(plugin, options);
    try {
      return await use(model);
    } finally {
      model.dispose();
    }
  };
  const logits = (model: Classifier, mode: Mode = 'eval', labels?: readonly number[]): number[] => {
    const batch = fixtureBatch(labels, imageShape);
    const found = logitsOf(model, batch.images, mode);
    promiseTensor(found, { what: `the logits in ${mode} mode`, shape: [batch.labels.size, classes] });
    const values = numbers(found);
    found.dispose();
    disposeBatch(batch);
    return values;
  };
  const shift = (variables: ReadonlyMap<string, tf.Variable>, directions: readonly tf.Tensor[], by: number) =>
    [...variables.values()].forEach((variable, i) =>
      tf.tidy(() => variable.assign(tf.add(variable, tf.mul(by, directions[i]!)))),
    );

  const checks = {
    'gives one finite logit per class in every mode, for any batch size': () =>
      on((model) => {
        promise(
          model.inputShape.join() === imageShape.join() && model.classes === classes,
          () =>
            `it takes images ${model.inputShape.join('x')} and has ${model.classes} classes; the data has ${imageShape.join('x')} and ${classes}`,
        );
        for (const mode of ['eval', 'batch', 'train'] as const) logits(model, mode);
        logits(model, 'eval', [1]);
      }),
    'writes running statistics in train mode only': () =>
      on((model) => {
        const before = valuesOf(model.statistics);
        const weights = valuesOf(model.parameters);
        logits(model, 'eval');
        logits(model, 'batch');
        promiseEqual(valuesOf(model.statistics), before, 'the running statistics after passes in eval and batch mode');
        logits(model, 'train');
        const moved = valuesOf(model.statistics).some((value, i) => value !== before[i]);
        promise(moved || before.length === 0, () => 'a pass in train mode leaves the running statistics as they are');
        promiseEqual(valuesOf(model.parameters), weights, 'the weights after forward passes');
      }),
    'captures batch statistics that can be applied later, as train mode does': async () => {
      const trained = await on((model) => [...logits(model, 'train'), ...valuesOf(model.statistics)]);
      const applied = await on((model) => {
        const batch = fixtureBatch(undefined, imageShape);
        const pass = model.pass([batch.images], { mode: 'batch', wrt: 'nothing' });
        const values = numbers(pass.logits[0]!);
        model.applyStatistics(pass.statistics[0]!);
        pass.dispose();
        disposeBatch(batch);
        return [...values, ...valuesOf(model.statistics)];
      });
      promiseEqual(applied, trained, 'logits and running statistics');
    },
    'judges an image alone as it does in a batch, in eval mode': () =>
      on((model) => {
        const all = logits(model);
        const batch = fixtureBatch(undefined, imageShape);
        const alone = tf.tidy(() => numbers(logitsOf(model, tf.slice(batch.images, [2, 0, 0, 0], [1, -1, -1, -1]))));
        disposeBatch(batch);
        alone.forEach((value, i) => {
          const other = all[2 * classes + i]!;
          promise(
            Math.abs(value - other) <= 1e-4 * Math.max(1, Math.abs(other)),
            () => `a logit is ${value} alone and ${other} in a batch`,
          );
        });
      }),
    'has the gradients that finite differences give, at weights and at images': () =>
      on((model) =>
        scratch(() => {
          const batch = fixtureBatch(undefined, imageShape);
          const loss = (images: tf.Tensor4D) =>
            tf.mean(crossEntropy(logitsOf(model, images, 'batch'), batch.labels)) as tf.Scalar;
          const random = createRandom(29, 'direction');
          const compare = (what: string, found: number, at: (by: number) => number) => {
            const expected = (at(h) - at(-h)) / (2 * h);
            promise(
              Math.abs(found - expected) <= 0.05 * Math.max(0.02, Math.abs(expected)),
              () => `the gradient at the ${what} is ${found} along a direction; finite differences give ${expected}`,
            );
          };
          const unit = (shape: number[]) =>
            tf.tidy(() => {
              const d = random.normal(shape);
              return tf.div(d, tf.norm(d));
            });
          const pass = model.pass([batch.images], { mode: 'batch', wrt: 'all' });
          const { dLogits } = logitGradients(pass.logits, (z) => tf.mean(crossEntropy(z!, batch.labels)));
          const { images, parameters } = pass.pullback(dLogits);
          pass.dispose();
          const missing = [...model.parameters.keys()].filter((name) => !parameters.has(name));
          promise(missing.length === 0, () => `no gradient reaches ${missing.join(', ')}`);
          const kernels = new Map([...model.parameters].slice(-2));
          const directions = [...kernels.values()].map(({ shape }) => unit(shape));
          const along = [...kernels.keys()].reduce(
            (sum, name, i) => sum + numbers(tf.sum(tf.mul(parameters.get(name)!, directions[i]!)))[0]!,
            0,
          );
          compare('last layer', along, (by) => {
            shift(kernels, directions, by);
            const value = numbers(loss(batch.images))[0]!;
            shift(kernels, directions, -by);
            return value;
          });
          const towards = unit(batch.images.shape) as tf.Tensor4D;
          compare(
            'images',
            numbers(tf.sum(tf.mul(images[0]!, towards)))[0]!,
            (by) => numbers(loss(tf.add(batch.images, tf.mul(by, towards)) as tf.Tensor4D))[0]!,
          );
        }),
      ),
    'starts from the same weights for the same seed': async () => {
      const once = () => on((model) => [...valuesOf(model.parameters), ...logits(model)]);
      promiseEqual(await once(), await once(), 'weights and logits of a second model');
    },
    'comes back from a checkpoint as it was': () =>
      on(async (model) => {
        logits(model, 'train');
        const optimizer = createSgd({ learningRate: 0.1, momentum: 0, weightDecay: 0, nesterov: false });
        const saved = await takeSnapshot(initialState({ seed: 1 }), { model, optimizer, objective: noObjective });
        const expected = logits(model);
        await on((other) => {
          restoreModel(saved, other);
          promiseEqual(logits(other), expected, 'logits after a checkpoint');
        });
      }),
    'leaves no tensor behind, and frees its variables': async () => {
      await on((model) => promiseNoLeak('a pass', () => void logits(model, 'train')));
      await promiseNoLeak('making and disposing the model', () => on(() => undefined));
    },
  };
  return [...definitionContract(plugin as unknown as Plugin, options), ...contracts(engineOf(options), checks)];
}
