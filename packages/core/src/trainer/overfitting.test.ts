import { describe, expect, it } from '@jest/globals';
import type { EpochMetrics } from '../hooks/index.js';
import { findFall, overfittingOf } from './overfitting.js';

/** Epochs of a run that trains on neighbours: accuracy under PGD, and under FGSM where it is measured. */
const epochs = (...rows: (readonly [pgd: number | undefined, fgsm?: number])[]): EpochMetrics[] =>
  rows.map(([pgd, fgsm], i) => ({
    ...{ epoch: i + 1, steps: i, learningRate: 0.1, loss: 1, terms: {} },
    train: { 'adversarial.accuracy': 0.5 },
    ...(pgd !== undefined && { validation: { clean: 0.8, ...(fgsm !== undefined && { fgsm }), 'pgd-10': pgd } }),
  }));

describe('a fall of robustness', () => {
  it('is one below the share of the best so far, after the last epoch', () => {
    expect(findFall(epochs([0.3], [0.4], [0.05]), 0.5)).toEqual({
      ...{ epoch: 3, since: 3, attack: 'pgd-10', best: 0.4, robust: 0.05 },
    });
    expect(findFall(epochs([0.3], [0.4], [0.21]), 0.5)).toBeUndefined();
    expect(findFall(epochs([0.4], [0.05], [0.3]), 0.5)).toBeUndefined();
    expect(findFall(epochs([0.4], [0.05]), 0)).toBeUndefined();
  });
  it('goes on until robustness is regained, over epochs without validation, too', () => {
    const fallen = epochs([0.4], [0.1], [undefined], [0.05, 0.6]);
    expect(findFall(fallen, 0.5)).toMatchObject({ since: 2, epoch: 4, singleStep: 0.6 });
    expect(findFall(fallen.slice(0, 3), 0.5)).toBeUndefined();
    expect(findFall(epochs([0.4], [0.1], [0.3], [0.1]), 0.5)).toMatchObject({ since: 4 });
  });
  it('is none where the best is no more than noise, or where a model is trained on the images themselves', () => {
    expect(findFall(epochs([0.09], [0.0]), 0.5)).toBeUndefined();
    const natural = epochs([0.4], [0.05]).map((metrics) => ({ ...metrics, train: { 'natural.accuracy': 0.9 } }));
    expect(findFall(natural, 0.5)).toBeUndefined();
  });
  it('is catastrophic overfitting if a single step breaks far fewer', () => {
    const fall = findFall(epochs([0.4], [0.05]), 0.5)!;
    expect(overfittingOf(fall, 0.7)).toEqual({ epoch: 2, attack: 'pgd-10', best: 0.4, robust: 0.05, singleStep: 0.7 });
    expect(overfittingOf(fall, 0.1)).toBeUndefined();
  });
});
