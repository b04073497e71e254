import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { createRandom, type Random } from '@bulwark/core';
import { pseudoLabels, selectPseudoLabels } from '../pseudo-labels.js';
import { rstSampler } from './rst-sampler.js';

interface SamplerCase {
  numLabeled: number;
  numUnlabeled: number;
  batchSize: number;
  unsupFraction: number;
  numBatches: number;
  draws: [kind: string, values: number[]][];
  batches: number[][];
}

/** Made by the official sampler of semisup-adv, with its draws logged. */
const golden = JSON.parse(
  gunzipSync(readFileSync(new URL('../../fixtures/unit-rst.json.gz', import.meta.url))).toString(),
) as {
  sampler: SamplerCase[];
  pseudoLabels: { logits: { shape: [number, number]; data: number[] }; labels: number[] };
};

/** Replays logged draws, checking that each is asked for in its turn and at its size. */
function replay(draws: SamplerCase['draws']): Random & { left(): number } {
  const queue = draws.map(([kind, values]) => ({ kind, values: [...values] }));
  return {
    ...createRandom(0),
    permutation(n) {
      const { kind, values } = queue.shift()!;
      expect(['permutation', 'shuffle']).toContain(kind);
      expect(values).toHaveLength(n);
      return Int32Array.from(values);
    },
    integer() {
      expect(queue[0]!.kind).toBe('unsupPositions');
      const value = queue[0]!.values.shift()!;
      if (queue[0]!.values.length === 0) queue.shift();
      return value;
    },
    left: () => queue.length,
  };
}

const open = ({ numLabeled, numUnlabeled, unsupFraction, numBatches, batchSize }: SamplerCase) =>
  rstSampler(
    { labelled: numLabeled, unlabelled: numUnlabeled, unlabelledFraction: unsupFraction, batchesPerEpoch: numBatches },
    { batchSize },
  );

describe('the RST sampler', () => {
  it.each(golden.sampler.map((one, i) => [i, one] as const))('reproduces the official batches, case %i', (_i, one) => {
    const random = replay(one.draws);
    const batches = open(one).epoch(random);
    expect(batches.map((batch) => [...batch])).toEqual(one.batches);
    expect(random.left()).toBe(0);
  });

  it('gives the same epoch for the same generator state', () => {
    const sampler = open(golden.sampler[0]!);
    const random = createRandom(1, 'shuffling');
    const state = random.state();
    const first = sampler.epoch(random);
    const second = sampler.epoch(random);
    random.restore(state);
    expect(sampler.epoch(random)).toEqual(first);
    expect(second).not.toEqual(first);
  });

  it('fills batches of 256 half and half and shows 25,088 distinct labelled images in the 196 batches of an epoch', () => {
    const mixture = { labelled: 50000, unlabelled: 500000, unlabelledFraction: 0.5, batchesPerEpoch: 196 };
    const batches = rstSampler(mixture, { batchSize: 256 }).epoch(createRandom(1));
    expect(batches.every((batch) => batch.filter((i) => i < 50000).length === 128)).toBe(true);
    expect(new Set(batches.flatMap((batch) => [...batch].filter((i) => i < 50000))).size).toBe(25088);
  });
});

describe('pseudo-labels', () => {
  it('are those of the golden case', () => {
    const { logits, labels } = golden.pseudoLabels;
    const found = pseudoLabels(logits.data, logits.shape[1]);
    expect([...found.labels]).toEqual(labels);
    const first = logits.data.slice(0, 5).map(Math.exp);
    expect(found.confidence[0]).toBeCloseTo(Math.max(...first) / first.reduce((sum, v) => sum + v, 0), 6);
  });

  it('are finite for extreme logits', () => {
    const { labels, confidence } = pseudoLabels([1000, -1000, 0, 1e30, -1e30, 0], 3);
    expect([...labels]).toEqual([0, 0]);
    expect([...confidence]).toEqual([1, 1]);
  });

  it('are kept above a threshold, and the most confident of each class, the earlier on ties', () => {
    const found = {
      labels: Int32Array.of(0, 0, 0, 1, 1, 2),
      confidence: Float32Array.of(0.5, 0.75, 0.75, 0.25, 0.5, 1),
    };
    expect([...selectPseudoLabels(found)]).toEqual([0, 1, 2, 3, 4, 5]);
    expect([...selectPseudoLabels(found, { threshold: 0.5 })]).toEqual([0, 1, 2, 4, 5]);
    expect([...selectPseudoLabels(found, { perClass: 1 })]).toEqual([1, 4, 5]);
    expect([...selectPseudoLabels(found, { perClass: 2, threshold: 0.6 })]).toEqual([1, 2, 5]);
  });
});
