import * as tf from '@tensorflow/tfjs-core';
import { variableSpecs, type NetworkGraph, type VariableSpec } from '../network/index.js';
import type { Random } from '../random.js';

interface Variables {
  readonly parameters: Map<string, tf.Variable>;
  readonly statistics: Map<string, tf.Variable>;
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
