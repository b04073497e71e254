import * as tf from '../tensor/index.js';
import type { Classifier } from '../classifier/index.js';
import { currentUpdates } from '../engine/updates.js';
import type { ClassAccuracies, HookState, WeightAverage } from '../hooks/index.js';

const variablesOf = (model: Classifier): Map<string, tf.Variable> =>
  new Map([
    ...[...model.parameters].map(([name, variable]) => [`model/${name}`, variable] as const),
    ...[...model.statistics].map(([name, variable]) => [`statistics/${name}`, variable] as const),
  ]);

/** Tensors that outlive a step, by name. */
function createHolder() {
  const held = new Map<string, tf.Variable>();
  const clear = () => {
    held.forEach((variable) => variable.dispose());
    held.clear();
  };
  return {
    held,
    clear,
    /** Moves held values by `share` of their distance to `values`; holds copies of those of which there is none yet. */
    move(values: ReadonlyMap<string, tf.Tensor>, share: number) {
      const known = [...values].filter(([name]) => held.has(name));
      for (const [name, value] of values) if (!held.has(name)) held.set(name, tf.variable(value, false));
      currentUpdates().approach(
        known.map(([name]) => held.get(name)!),
        known.map(([, value]) => value),
        share,
      );
    },
    state<V>(values: () => V, restoreValues: (values: V) => void): HookState {
      return {
        save: () => ({ tensors: held, values: values() }),
        restore(saved) {
          clear();
          for (const [name, tensor] of saved.tensors) held.set(name, tf.variable(tensor, false));
          restoreValues(saved.values as V);
        },
      };
    },
  };
}

/** Options of `createEma`. */
export interface EmaOptions {
  readonly decay: number;
  readonly warmup: number;
  /** Steps before which the average is a copy of the weights; may be a fraction. From there t counts steps; default: from the first. */
  readonly start?: number;
  /** Running statistics: averaged like the weights, or copied at the end of each epoch; default `averaged`. */
  readonly statistics?: 'averaged' | 'copied';
}

/** Share of the old average in the next update, after `updates` of them. */
export function emaDecay({ decay, warmup, start }: EmaOptions, updates: number): number {
  if (start === undefined) return updates === 0 ? 0 : Math.min(decay, (1 + updates) / (warmup + updates));
  const t = updates + 1 - start;
  return t < 0 ? 0 : Math.min(decay, (1 + t) / (warmup + t));
}

/**
 * Exponential moving average after every step: `average += (1 - d) (weights - average)`. The decay d grows from 0 to `decay` as
 * (1 + t) / (warmup + t) with t updates made, so that the random start is soon forgotten. With `start`, as in Rebuffi et al. (2021;
 * arXiv:2103.01946) and the code of Wang et al. (2023), the average follows the weights until then.
 * @param initial the model before its first step, where the average begins; default: at the weights after the first step
 */
export function createEma(options: EmaOptions, initial?: Classifier): WeightAverage {
  const { statistics = 'averaged' } = options;
  const holder = createHolder();
  if (initial) holder.move(variablesOf(initial), 1);
  let updates = 0;
  return {
    state: holder.state(
      () => ({ updates }),
      (values) => void (updates = values.updates),
    ),
    afterStep(model) {
      // running statistics that are copied at epochs' ends are there from the first step, too
      const moves = (name: string) => statistics === 'averaged' || name.startsWith('model/') || !holder.held.has(name);
      const moving = [...variablesOf(model)].filter(([name]) => moves(name));
      holder.move(new Map(moving), 1 - emaDecay(options, updates));
      updates++;
    },
    afterEpoch(model) {
      if (statistics === 'averaged') return;
      holder.move(new Map([...model.statistics].map(([name, variable]) => [`statistics/${name}`, variable])), 1);
    },
    dispose: holder.clear,
  };
}

/**
 * Stochastic weight averaging (Izmailov et al., 2018, Algorithm 1; arXiv:1803.05407): the plain mean of the weights at the ends of epochs
 * `from`, `from + every`, ... Running statistics of such a mean do not exist; they are computed by one pass over the training images, as
 * the mean of the batches' statistics, each weighted by its number of images (PyTorch's `update_bn` where all have the same size).
 */
export function createSwa(options: { from: number; every: number }): WeightAverage {
  const holder = createHolder();
  let [count, lastEpoch] = [0, 0];
  return {
    state: holder.state(
      () => ({ count, lastEpoch }),
      (values) => void ({ count, lastEpoch } = values),
    ),
    afterStep: () => undefined,
    afterEpoch(model, { epoch, batches }) {
      const due = epoch >= options.from && (epoch - options.from) % options.every === 0;
      if (!due || epoch === lastEpoch) return; // an epoch whose validation was interrupted comes here twice
      count++;
      lastEpoch = epoch;
      const parameters = new Map([...model.parameters].map(([name, variable]) => [`model/${name}`, variable]));
      holder.move(parameters, 1 / count);
      const restore = putIn(model, holder.held);
      let seen = 0;
      for (const images of batches()) {
        seen += images.shape[0];
        const pass = model.pass([images], { mode: 'batch', wrt: 'nothing' });
        const found = new Map<string, tf.Tensor>();
        for (const [layer, { mean, variance, bessel }] of pass.statistics[0]!) {
          found.set(`statistics/${layer}.running_mean`, mean.clone());
          found.set(`statistics/${layer}.running_var`, tf.mul(variance, bessel));
        }
        holder.move(found, images.shape[0] / seen);
        tf.dispose([...found.values()]);
        pass.dispose();
        images.dispose();
      }
      restore();
    },
    dispose: holder.clear,
  };
}

/** The worst of the classes under the last attack: the one by which the best checkpoint is chosen, unless the config names another. */
const worstClass = (validation: readonly ClassAccuracies[]): number =>
  Math.min(...validation.at(-1)!.byClass.filter((accuracy) => accuracy !== undefined));

/**
 * Fairness-aware weight averaging (Wei et al., 2023, section 4.3; arXiv:2303.14460): at the end of an epoch the weights enter only if they protect
 * every class, that is if the lowest of the classes' accuracies under attack on held-out images reaches the threshold. Running statistics are
 * averaged like weights, as in the authors' code. Until some epoch reaches it there is no average.
 */
export function createFairAverage(options: { decay: number; threshold: number }): WeightAverage {
  const { decay, threshold } = options;
  const holder = createHolder();
  let lastEpoch = 0;
  return {
    needsValidation: true,
    state: holder.state(
      () => ({ lastEpoch }),
      (values) => void ({ lastEpoch } = values),
    ),
    afterStep: () => undefined,
    async afterEpoch(model, { epoch, validate }) {
      if (epoch === lastEpoch) return;
      const worst = worstClass(await validate());
      lastEpoch = epoch;
      if (worst >= threshold) holder.move(variablesOf(model), 1 - decay);
    },
    dispose: holder.clear,
  };
}

/** Assigns `values` (named as an average names them) to the model; the result puts back what was there, bit for bit. */
function putIn(model: Classifier, values: ReadonlyMap<string, tf.Tensor>): () => void {
  const variables = variablesOf(model);
  const saved = [...values.keys()].map((name) => [variables.get(name)!, variables.get(name)!.clone()] as const);
  for (const [name, value] of values) variables.get(name)!.assign(value);
  return () => {
    for (const [variable, copy] of saved) {
      variable.assign(copy);
      copy.dispose();
    }
  };
}

/** Runs `work` with the averaged weights in the model, if there are any, then puts the others back. */
export async function withAverage<T>(
  model: Classifier,
  average: WeightAverage | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const restore = putIn(model, average?.state.save().tensors ?? new Map());
  try {
    return await work();
  } finally {
    restore();
  }
}
