import { beforeAll, describe, expect, it } from '@jest/globals';
import { useEngine, type PluginSpec } from '@bulwark/core';
import { countingClassifier } from '@bulwark/core/classifier';
import * as tf from '@tensorflow/tfjs-core';
import { make, oneStep, smallBatch, smallNetwork } from './testing/step.js';

beforeAll(() => useEngine('wasm'));

const K = 3;
const inner = { steps: K };

interface Row {
  readonly spec: PluginSpec;
  readonly weightPerturber?: PluginSpec;
  readonly forward: number;
  readonly backward: number;
}

/** The counts that the pages under docs/methods promise. */
const rows: Row[] = [
  { spec: { use: 'natural' }, forward: 1, backward: 1 },
  { spec: { use: 'at', inner }, forward: K + 1, backward: K + 1 },
  { spec: { use: 'at', inner, riceBookkeeping: true }, forward: K + 3, backward: K + 1 },
  { spec: { use: 'trades', inner }, forward: 1 + K + 2, backward: K + 2 },
  { spec: { use: 'trades', inner, discrepancy: 'js' }, forward: 1 + K + 2, backward: K + 2 },
  { spec: { use: 'rst', inner }, forward: 1 + K + 2, backward: K + 2 },
  { spec: { use: 'mart', inner }, forward: K + 2, backward: K + 2 },
  { spec: { use: 'collaborative', inner }, forward: K + 2, backward: K + 2 },
  { spec: { use: 'gairat', inner }, forward: K + 1, backward: K + 1 },
  { spec: { use: 'gair-rst', inner, burnIn: 0 }, forward: 1 + 2 * K + 3, backward: 2 * K + 3 },
  { spec: { use: 'bat', inner, bridges: 2 }, forward: 1 + K + 3, backward: K + 3 },
  { spec: { use: 'two-neighbours', of: { use: 'at', inner } }, forward: 2 * K + 2, backward: 2 * K + 2 },
  { spec: { use: 'two-neighbours', of: { use: 'trades', inner } }, forward: 1 + 2 * K + 3, backward: 2 * K + 3 },
  { spec: { use: 'two-neighbours', of: { use: 'mart', inner } }, forward: 2 * K + 3, backward: 2 * K + 3 },
  { spec: { use: 'trades', inner }, weightPerturber: { use: 'awp' }, forward: 1 + K + 2 * 2, backward: K + 2 * 2 },
  {
    spec: { use: 'at', inner },
    weightPerturber: { use: 'rwp', maxLoss: 100, steps: 10 },
    forward: K + 11,
    backward: K + 11,
  },
];

const nameOf = ({ spec, weightPerturber }: Row) =>
  JSON.stringify(spec) + (weightPerturber ? ` with ${weightPerturber.use}` : '');

function countsOf({ spec, weightPerturber }: Pick<Row, 'spec' | 'weightPerturber'>) {
  const network = smallNetwork();
  const { model, counts } = countingClassifier(network);
  const batch = smallBatch([0, 1, 2, 0]);
  const objective = make('objective', spec);
  const perturber = weightPerturber && make('weight-perturber', weightPerturber);
  oneStep({ model, batch, objective, weightPerturber: perturber }, () => undefined);
  network.dispose();
  tf.dispose([batch.images, batch.labels]);
  return counts;
}

describe('a training step computes nothing twice', () => {
  it.each(rows)('$spec.use: $forward forward and $backward backward passes', (row) => {
    expect({ of: nameOf(row), ...countsOf(row) }).toEqual({
      of: nameOf(row),
      forward: row.forward,
      backward: row.backward,
    });
  });

  it('st: the natural pass once, two passes per inner step, three ways back of which one may be idle', () => {
    expect(countsOf({ spec: { use: 'st', inner } })).toEqual({ forward: 1 + 2 * K + 3, backward: 3 * K + 3 });
  });
});
