import * as tf from '../tensor/index.js';
import type { Random } from '../random.js';
import type { NetworkGraph } from './graph.js';
import type { VariableSpec } from './layer.js';
import type { ParameterStore } from './pass.js';
import { variableSpecs } from './variables.js';

/** Variables of a network, by name. */
export interface Variables {
  readonly parameters: ReadonlyMap<string, tf.Variable>;
  readonly statistics: ReadonlyMap<string, tf.Variable>;
}

function initialValue({ shape, start }: VariableSpec, random: Random | undefined): tf.Tensor {
  if ('constant' in start) return tf.fill([...shape], start.constant);
  if (!random) return tf.zeros([...shape]);
  if ('uniform' in start) return random.uniform(shape, -start.uniform, start.uniform);
  return tf.mul(random.normal(shape), start.normal);
}

/** The variables of a graph with their initial values, drawn in node order; without `random`, weights are 0. */
export function initialVariables(graph: NetworkGraph, random: Random | undefined): Variables {
  const parameters = new Map<string, tf.Variable>();
  const statistics = new Map<string, tf.Variable>();
  for (const spec of variableSpecs(graph)) {
    const variable = tf.tidy(() => tf.variable(initialValue(spec, random), spec.trainable));
    (spec.trainable ? parameters : statistics).set(spec.name, variable);
  }
  return { parameters, statistics };
}

/** Variables as executors read them: at the moment of the pass. */
export const storeOf = ({ parameters, statistics }: Variables): ParameterStore => ({
  parameters: [...parameters.keys()],
  statistics: [...statistics.keys()],
  value: (name) => (parameters.get(name) ?? statistics.get(name))!,
});
