import { discrepancy, type Discrepancy } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { numbersOf, toTensor, type Golden } from '../golden.js';
import { refuseUnknown, shiftedTolerance, unitTolerance, type UnitRunner } from './unit.js';

const known: Record<string, Discrepancy> = {
  // the files name the adversarial side first
  kl: (a, b) => discrepancy('kl')(b, a),
  klReversed: discrepancy('kl'),
  symkl: discrepancy('symmetric-kl'),
  symklDetached: discrepancy('symmetric-kl', { detachTarget: true }),
  l2: discrepancy('squared-l2'),
  js: discrepancy('js'),
  jsReversed: discrepancy('js-reversed'),
};

/** Values per row, and gradients of their mean with respect to both arguments. */
function evaluate(measure: Discrepancy, a: tf.Tensor2D, b: tf.Tensor2D) {
  return tf.tidy(() => {
    const mean = (p: tf.Tensor, q: tf.Tensor) => tf.mean(measure(p as tf.Tensor2D, q as tf.Tensor2D));
    const [gradA, gradB] = tf.grads(mean)([a, b]);
    const rows = measure(a, b);
    return {
      rows: [...rows.dataSync()],
      mean: [...tf.mean(rows).dataSync()],
      gradA: [...gradA!.dataSync()],
      gradB: [...gradB!.dataSync()],
    };
  });
}

/** `unit-discrepancy`: every discrepancy with its gradients, at moderate, extreme, tied and shifted logits. */
export const discrepancyUnit: UnitRunner = (json, comparison) => {
  refuseUnknown(comparison, json, ['sets']);
  for (const set of json['sets'] as Golden[]) {
    refuseUnknown(comparison, set, ['a', 'b', 'values']);
    const name = String(set['name']);
    const tolerance = name === 'shifted' ? shiftedTolerance : unitTolerance;
    const [a, b] = [toTensor<tf.Tensor2D>(set['a'], 'a'), toTensor<tf.Tensor2D>(set['b'], 'b')];
    for (const [measure, expected] of Object.entries(set['values'] as Golden)) {
      const own = known[measure];
      if (!own) {
        comparison.fail(measure, 'not a known discrepancy');
        continue;
      }
      const values = evaluate(own, a, b);
      refuseUnknown(comparison, expected as Golden, Object.keys(values));
      for (const [field, actual] of Object.entries(values)) {
        const part = `${name}.${measure}.${field}`;
        comparison.compare(
          { quantity: measure, part },
          actual,
          numbersOf((expected as Golden)[field], part),
          tolerance,
        );
      }
    }
    tf.dispose([a, b]);
  }
};
