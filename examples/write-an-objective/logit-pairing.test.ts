import { readFileSync } from 'node:fs';
import { beforeAll, expect, it } from '@jest/globals';
import { useEngine, type Views } from '@bulwark/core';
import { describeObjective, makePlugin } from '@bulwark/core/testing';
import * as tf from '@bulwark/core/tfjs';
import { logitPairing } from './logit-pairing.js';

beforeAll(() => useEngine('wasm'));

// what every objective promises
describeObjective(logitPairing, { options: { inner: { steps: 2 } }, refused: [{ beta: -1 }] });

// what this one promises
it('pairs logits by their mean squared distance', () => {
  const z = { natural: tf.tensor2d([[1, 2, 3]]), adversarial: tf.tensor2d([[1, 0, 6]]) };
  const [, pairing] = makePlugin(logitPairing, {}).terms;
  const views = { z } as unknown as Views;
  expect(pairing!.values(views).dataSync()[0]).toBeCloseTo((0 + 4 + 9) / 3, 6);
});

it('is the plugin that the README of the project shows', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const source = readFileSync(new URL('logit-pairing.ts', import.meta.url), 'utf8');
  expect(readme).toContain(`\`\`\`ts\n${source}\`\`\``);
});
