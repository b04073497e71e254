import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { EvaluationResult } from '@bulwark/core';
import { runCommand } from './testing.js';

let folder: string;

const bulwark = (...args: string[]) => runCommand(args, { cwd: folder });

const lastLoss = (run: string) => {
  const lines = readFileSync(join(folder, run, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n');
  return JSON.parse(lines.at(-1)!) as { loss: number; terms: Record<string, number> };
};

/** A plugin as a user writes it: in TypeScript, in a project of their own, on the public API only. */
const plugin = `
import { crossEntropy, defineObjective, meanSquared, weight, weighted } from '@bulwark/core';
import { pgd } from '@bulwark/objectives';

export const logitPairing = defineObjective({
  name: 'logit-pairing',
  summary: 'Squared distance of natural and adversarial logits.',
  options: { beta: weight(0.5) },
  create: ({ beta }) => ({
    points: pgd({ steps: 1, stepSize: 0.05, start: 'uniform', startScale: 0.001, mode: 'eval' }),
    loss: {
      classification: ({ z, y }) => crossEntropy(z.adversarial, y),
      pairing: weighted(beta, ({ z }) => meanSquared(z.natural, z.adversarial)),
    },
  }),
});
`;

/** An attack that does what its name says, or what attacks of users do when they are wrong. */
const adaptive = `
import { defineAttack, number } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';

export const brighter = defineAttack({
  name: 'brighter',
  summary: 'Adds to every pixel.',
  options: { by: number().default(0.1).describe('added') },
  create: ({ by }) => ({
    label: 'brighter-' + by,
    settings: { by },
    run(images) {
      if (by < 0) throw new Error('brighter is never darker');
      return tf.tidy(() => by > 1 ? tf.mul(images, NaN) : tf.clipByValue(tf.add(images, by), 0, 1));
    },
  }),
});
`;

const config = (rest: string) => `
name: mine
engine: wasm
data: { use: fashion-mnist-mini, batchSize: 256 }
model: { use: mlp }
threat: { epsilon: 0.1 }
epochs: 1
evaluation: { attacks: [{ use: fgsm }], examples: 50 }
${rest}
`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bulwark-project-'));
  mkdirSync(join(folder, 'node_modules'));
  for (const name of ['@bulwark', '@tensorflow'])
    symlinkSync(resolve('node_modules', name), join(folder, 'node_modules', name));
  writeFileSync(join(folder, 'logit-pairing.ts'), plugin);
});

describe('a project outside the packages', () => {
  it('registers a plugin from its own file and trains with it', () => {
    writeFileSync(
      join(folder, 'own.yaml'),
      config('plugins: [./logit-pairing.ts]\nobjective: { use: logit-pairing, beta: 2 }'),
    );
    const { status, stderr, stdout } = bulwark('train', 'own.yaml', '--out', 'own');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toContain('pairing');
    const { loss, terms } = lastLoss('own');
    expect(loss).toBeCloseTo(terms['classification']! + 2 * terms['pairing']!, 4);
    expect(terms['pairing']).toBeGreaterThan(0);
  });

  it("attacks a run of its own plugins with another of its own, beside AutoAttack's stages in one result", () => {
    writeFileSync(join(folder, 'brighter.ts'), adaptive);
    const run = (...attacks: string[]) =>
      bulwark(
        'evaluate',
        'own',
        '--images',
        '40',
        '--fresh',
        '--no-probes',
        '--json',
        '--attacks',
        ...attacks,
        '--plugins',
        './brighter.ts',
      );
    const { status, stdout, stderr } = run('autoattack:version=custom:attacks=apgd-ce', 'brighter');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const { attacks, worst } = JSON.parse(stdout) as EvaluationResult;
    expect(attacks.map(({ ensemble, label }) => [ensemble, label])).toEqual([
      ['autoattack-custom(apgd-ce)', 'apgd-ce'],
      [undefined, 'brighter-0.1'],
    ]);
    attacks.forEach(({ accuracy }) => expect(worst.accuracy).toBeLessThanOrEqual(accuracy));
  });

  it('shows a run the examples of another, which needs plugins, too', () => {
    const { status, stdout, stderr } = bulwark(
      ...['evaluate', 'own', '--images', '20', '--fresh', '--no-probes', '--json', '--attacks', 'pgd:steps=2'],
      ...['--transfer-from', 'own', '--plugins', './logit-pairing.ts'],
    );
    expect(stderr).toBe(
      'warning --transfer-from own is the model itself: its examples are those of the attacks on it\n',
    );
    expect(status).toBe(0);
    const { attacks } = JSON.parse(stdout) as EvaluationResult;
    expect(attacks.map(({ label }) => label)).toEqual(['pgd-2', 'pgd-2-from-own']);
  });

  it.each([
    ['returns NaN', '9', 0, 'trust check attack-not-finite: brighter-9: '],
    ['throws', '-1', 1, 'error attack brighter--1 failed: brighter is never darker\n  this is a fault of the attack'],
  ])('an attack of its own that %s is named, not Bulwark', (_what, by, code, message) => {
    const { status, stderr } = bulwark(
      ...[
        'evaluate',
        'own',
        '--images',
        '40',
        '--fresh',
        '--no-probes',
        '--attacks',
        `brighter:by=${by}`,
        '--plugins',
        './brighter.ts',
      ],
    );
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('fault in Bulwark');
    expect(status).toBe(code);
  });

  it("checks the plugin's options like any other's", () => {
    writeFileSync(
      join(folder, 'bad.yaml'),
      config('plugins: [./logit-pairing.ts]\nobjective: { use: logit-pairing, gamma: 2 }'),
    );
    const { status, stderr } = bulwark('train', 'bad.yaml', '--out', 'bad');
    expect(status).toBe(2);
    expect(stderr).toContain('objective.gamma is not an option here; known: beta');
  });

  it('composes an objective that exists nowhere in the code from config alone', () => {
    writeFileSync(
      join(folder, 'composed.yaml'),
      config(`objective:
  use: compose
  inner: { use: pgd, goal: kl, steps: 1, stepSize: 0.05 }
  classification: { use: cross-entropy, at: natural }
  regularizer: { use: js, between: [natural, adversarial] }
  beta: 3`),
    );
    const { status, stderr } = bulwark('train', 'composed.yaml', '--out', 'composed');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const { loss, terms } = lastLoss('composed');
    expect(loss).toBeCloseTo(terms['classification']! + 3 * terms['regularizer']!, 4);
  });
});
