import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { useEngine } from '../engine/index.js';
import { createRandom } from '../random.js';
import { norms } from './index.js';

const packages = fileURLToPath(new URL('../../../', import.meta.url));
/** A norm's name compared with, or looked up in a table of one's own. */
const branch =
  /[!=]==?\s*'(?:linf|l2|l1)'|'(?:linf|l2|l1)'\s*[!=]==?|(?<!norms)\[[\w.]*norm\.name\]|switch \([\w.]*norm(?:\.name)?\)/;

function branches(source: string): string[] {
  return source.split('\n').filter((line) => branch.test(line));
}

describe('the name of a norm', () => {
  it('decides nothing outside of threat: what differs is said by the norm', () => {
    const found = readdirSync(packages).flatMap((name) => {
      const folder = join(packages, name, 'src');
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
        (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith('threat'),
      );
      return files.flatMap((file) =>
        branches(readFileSync(join(folder, file), 'utf8')).map((line) => `${join(name, file)}: ${line.trim()}`),
      );
    });
    expect(found).toEqual([]);
  });
  it.each([
    "if (norm === 'l1')",
    "threat.norm.name !== 'linf'",
    "'l2' === name",
    'slack[threat.norm.name]',
    'switch (norm)',
  ])('is seen to decide in %s', (line) => expect(branches(line)).toHaveLength(1));
});

describe.each(Object.values(norms))('the norm $name', (norm) => {
  let x: tf.Tensor4D;
  beforeAll(async () => {
    await useEngine('cpu');
    x = createRandom(1).uniform<tf.Rank.R4>([3, 4, 5, 2], -1, 1);
  });
  const lengths = (of: tf.Tensor4D) => tf.tidy(() => [...norm.measure(of).dataSync()]);
  const rows = (of: tf.Tensor4D) =>
    Array.from({ length: 3 }, (_, e) => of.dataSync().slice(e * 40, (e + 1) * 40) as Float32Array);

  it('measures the same on and off the engine, and ones as it says', () => {
    lengths(x).forEach((length, e) => expect(norm.lengthOf(rows(x)[e]!)).toBeCloseTo(length, 4));
    expect(norm.ofOnes(40)).toBeCloseTo(norm.lengthOf(new Float32Array(40).fill(1)), 6);
  });
  it('has a dual that bounds what its steepest direction gains', () => {
    const direction = norm.normalize(x);
    expect(lengths(direction).every((length) => Math.abs(length - 1) < 1e-5)).toBe(true);
    const gains = tf.tidy(() => [...tf.sum(tf.mul(direction, x), [1, 2, 3]).dataSync()]);
    const dual = tf.tidy(() => [...norms[norm.dual].measure(x).dataSync()]);
    gains.forEach((gain, e) => expect(gain).toBeCloseTo(dual[e]!, 4));
  });
  it('brings perturbations to radii of their own, and draws directions of length 1', () => {
    const radii = tf.tensor4d([0.5, 0.2, 0.01], [3, 1, 1, 1]);
    lengths(norm.toRadius(x, radii)).forEach((length, e) => expect(length).toBeCloseTo([0.5, 0.2, 0.01][e]!, 5));
    lengths(norm.randomDirection(createRandom(2), x.shape)).forEach((length) => expect(length).toBeCloseTo(1, 5));
  });
  it('goes its own path from nothing to the perturbation', () => {
    const at = (share: number) => lengths(norm.along(x, tf.fill([3, 1, 1, 1], share)));
    at(0).forEach((length) => expect(length).toBeCloseTo(0, 6));
    at(1).forEach((length, e) => expect(length).toBeCloseTo(lengths(x)[e]!, 5));
    at(0.6).forEach((length, e) => expect(length).toBeLessThan(lengths(x)[e]! + 1e-6));
  });
});
