import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { createRandom, type EvaluationProgress } from '@bulwark/core';
import { writeNpy, writeNpz } from '@bulwark/datasets';
import { evaluate, train, type EvaluateOptions } from '../index.js';
import { temporaryFolder } from '../train/testing.js';

const root = temporaryFolder();
const [run, other, max] = ['run', 'other', 'max'].map((name) => join(root, name)) as [string, string, string];

/** Images in the form of CIFAR-10, each of the noise of its class. */
const images = (count: number) => {
  const noise = Array.from({ length: 10 }, (_, k) => createRandom(k, 'images'));
  const bytes = noise.map((random) => Uint8Array.from({ length: 3072 }, () => random.integer(256)));
  return {
    shape: [count, 32, 32, 3],
    data: Uint8Array.from({ length: count * 3072 }, (_, i) => bytes[Math.floor(i / 3072) % 10]![i % 3072]!),
  };
};
const labels = (count: number) => ({ shape: [count], data: Uint8Array.from({ length: count }, (_, i) => i % 10) });

/** A config of two threat models. */
function settings() {
  const set = join(root, 'set.npz');
  return {
    name: 'tiny',
    engine: 'wasm',
    epochs: 10,
    data: { use: 'npz', train: set, test: set, validation: 0, batchSize: 10 },
    model: { use: 'mlp', width: 16 },
    optimizer: { use: 'sgd', learningRate: 0.02 },
    threat: [{ epsilon: 0.1 }, { norm: 'l2', epsilon: 0.5 }],
    objective: 'natural',
    evaluation: { attacks: [] },
  } as const;
}

beforeAll(async () => {
  const corrupted = join(root, 'corrupted');
  mkdirSync(corrupted);
  writeFileSync(join(corrupted, 'fog.npy'), writeNpy(images(20)));
  writeFileSync(join(corrupted, 'labels.npy'), writeNpy(labels(20)));
  writeFileSync(join(root, 'set.npz'), writeNpz({ image: images(20), label: labels(20) }));
  const { threat, ...config } = settings();
  await train({ ...config, threat: threat[0] }, { folder: run });
  await train({ ...config, threat: threat[0], seed: 2 }, { folder: other });
  await train(settings(), { folder: max });
});
afterAll(() => rmSync(root, { recursive: true }));

/** Nothing stays on the engine, and nothing is written, whatever comes of it. */
async function held<T>(work: Promise<T>): Promise<T> {
  const before = tf.memory().numTensors;
  try {
    return await work;
  } finally {
    expect(tf.memory().numTensors).toBe(before);
    for (const folder of [run, other, max])
      for (const kind of ['evaluation', 'corruptions']) expect(existsSync(join(folder, kind))).toBe(false);
  }
}

const attacks = ['pgd:steps=2', 'fmn:steps=5'];

describe('the program evaluate', () => {
  it('measures a curve, which begins at the clean accuracy and never rises', async () => {
    const { results, curve } = await held(evaluate(run, { epsilons: ['8/255', 0, 0.002, 0.2], attacks }));
    expect(curve.map(({ epsilon }) => epsilon)).toEqual([0, 0.002, 8 / 255, 0.2]);
    expect(results.map(({ threat }) => threat.epsilon)).toEqual([0.002, 8 / 255, 0.2]);
    const shares = curve.map(({ accuracy }) => accuracy);
    expect(shares[0]).toBe(results[0]!.clean.accuracy);
    expect(shares[0]).toBeGreaterThan(0.3);
    expect(shares).toEqual(shares.toSorted((a, b) => b - a));
    // fmn is run once, and gives all of its curve
    expect(results.map((result) => result.attacks[1]!.attacked > 0)).toEqual([true, false, false]);
    const inL2 = await held(evaluate(run, { epsilons: [0.5], threat: { norm: 'l2' }, attacks }));
    expect(inL2.results[0]!.threat).toEqual({ norm: 'l2', epsilon: 0.5 });
  });

  it('measures several norms, and who withstands all of them', async () => {
    const { results, union } = await held(
      evaluate(run, { threats: ['linf:2/255', { norm: 'l2', epsilon: 0.1 }], attacks, images: 12 }),
    );
    expect(results.map(({ threat }) => threat)).toEqual([
      { norm: 'linf', epsilon: 2 / 255 },
      { norm: 'l2', epsilon: 0.1 },
    ]);
    const both = [...results[0]!.worst.flags].map((flag, i) =>
      flag === '1' && results[1]!.worst.flags[i] === '1' ? 1 : 0,
    );
    expect(union.flags).toBe(both.join(''));
    expect(union.flags).toHaveLength(12);
    expect(results[0]!.together).toEqual(results.map(({ threat }) => threat));
  });

  it("measures the run's own threat models if asked to, and says what it leaves out if not", async () => {
    const warnings: string[] = [];
    const warn = (text: string) => void warnings.push(text);
    const { results } = await held(evaluate(max, { threats: 'run', attacks: ['fgsm'], warn, probes: false }));
    expect(results.map(({ threat }) => threat.norm)).toEqual(['linf', 'l2']);
    expect(warnings).toEqual([]);
    const first = await held(evaluate(max, { attacks: ['fgsm'], warn, probes: false }));
    expect(first.threat).toEqual({ norm: 'linf', epsilon: 0.1 });
    expect(warnings).toEqual([`${max} is made for l2, too; measured is linf alone: \`threats: 'run'\` measures all`]);
    const alone = await held(evaluate(run, { threats: 'run', attacks: ['fgsm'] }));
    expect([alone.results.length, alone.union.flags]).toEqual([1, alone.results[0]!.worst.flags]);
  });

  it('measures what is asked of a run that is made for several threat models, and nothing besides', async () => {
    const asked = { attacks: ['fgsm'], images: 4, probes: false } as const;
    const l2 = { norm: 'l2', epsilon: 0.25 } as const;
    expect((await held(evaluate(max, { ...asked, threat: l2 }))).threat).toEqual(l2);
    expect((await held(evaluate(max, { ...asked, threat: { epsilon: 0.05 } }))).threat.epsilon).toBe(0.05);
    const { results } = await held(evaluate(max, { ...asked, epsilons: [0.25], threat: { norm: 'l2' } }));
    expect(results.map(({ threat }) => threat)).toEqual([l2]);
    const { results: both } = await held(evaluate(max, { ...asked, threats: ['l2:0.25', 'l1:3'] }));
    expect(both.map(({ threat }) => threat.norm)).toEqual(['l2', 'l1']);
  });

  it('reads the same of weights with a config that has several', async () => {
    const file = join(root, 'max.yaml');
    const { data, model, threat } = settings();
    writeFileSync(
      file,
      JSON.stringify({ name: 'x', data, model, threat, objective: 'natural', epochs: 1, engine: 'wasm' }),
    );
    const weights = join(max, 'checkpoints', 'last.safetensors');
    const asked = { config: file, attacks: ['fgsm'], images: 4, probes: false, warn: () => undefined } as const;
    const { results } = await evaluate(weights, { ...asked, threats: 'run' });
    expect(results.map(({ threat }) => threat.norm)).toEqual(['linf', 'l2']);
    expect((await evaluate(weights, { ...asked, threat: { epsilon: 0.02 } })).threat.epsilon).toBe(0.02);
  });

  it('shows the model examples of another', async () => {
    const heard: EvaluationProgress[] = [];
    const options = { attacks: ['fgsm'], images: 'first:5', progress: (at: EvaluationProgress) => void heard.push(at) };
    const found = await held(evaluate(run, { ...(options as EvaluateOptions), transferFrom: other }));
    expect(found.attacks.map(({ label }) => label)).toEqual(['fgsm', 'fgsm-from-other']);
    expect(found.data.count).toBe(5);
    expect(heard.at(-1)).toMatchObject({ label: 'fgsm-from-other', stage: 1, stages: 2, share: 1 });
  });

  it('measures corrupted images, without an adversary', async () => {
    const corruptions = `cifar10-c:folder=${join(root, 'corrupted')}:corruption=fog`;
    const { result, mean, rows } = await held(evaluate(run, { corruptions, images: 3, batchSize: 2 }));
    expect(result.complete).toBe(true);
    expect(rows.map(({ name, levels }) => [name, levels.map(({ level, count }) => [level, count])])).toEqual([
      ['fog', [1, 2, 3, 4, 5].map((level) => [level, 3])],
    ]);
    const correct = result.groups.reduce((sum, group) => sum + group.correct, 0);
    expect(mean).toBeCloseTo(correct / 15, 9);
  });

  const never: readonly [options: object, code: string, message: RegExp][] = [
    [{ epsilons: [] }, 'USAGE', /--epsilons is /],
    [{ epsilons: [0] }, 'USAGE', /no radius above 0/],
    [{ epsilons: [NaN, 0.1] }, 'USAGE', /--epsilons is NaN/],
    [{ epsilons: [-0.1, 0.1] }, 'USAGE', /--epsilons is -0.1/],
    [{ epsilons: [8, 0.1] }, 'CONFIG_INVALID', /is 8: pixels are in \[0, 1\]/],
    [{ epsilons: [0.1], threat: { epsilon: 0.1 } }, 'USAGE', /--epsilons does nothing with --epsilon/],
    [{ epsilons: [0.1], threats: ['linf:0.1'] }, 'USAGE', /--epsilons does nothing with --threats/],
    [{ threats: [] }, 'USAGE', /names no threat model/],
    [{ threats: ['linf'] }, 'USAGE', /"linf" is not norm:radius/],
    [{ threats: [{ norm: 'l2', epsilon: Infinity }] }, 'USAGE', /--threats is Infinity/],
    [{ threats: ['l2:1', 'l2:2'] }, 'USAGE', /names l2 twice/],
    [{ threats: ['linf:0.1:2'] }, 'USAGE', /"linf:0.1:2" is not norm:radius/],
    [{ threats: ['linf:0.1', 'l2:64'] }, 'CONFIG_INVALID', /is 64: .* further apart than 55.43 in l2/],
    [{ epsilons: [64, 0.5], threat: { norm: 'l2' } }, 'CONFIG_INVALID', /is 64: .* further apart than 55.43 in l2/],
    [{ threats: ['linf:0.1', 'l2:1'], attacks: ['ddn'] }, 'ATTACK_INVALID', /ddn-100 is one in l2, not in linf/],
    [{ threats: ['linf:8'] }, 'CONFIG_INVALID', /is 8: pixels are in \[0, 1\]/],
    [{ threats: 'run', threat: { norm: 'l2', epsilon: 1 } }, 'USAGE', /--threats does nothing with --norm/],
    [{ corruptions: true }, 'USAGE', /no corrupted images are known for npz/],
    [{ corruptions: true, attacks: ['pgd'] }, 'USAGE', /--corruptions does nothing with --attacks/],
    [{ corruptions: true, transferFrom: other }, 'USAGE', /--corruptions does nothing with --transfer-from/],
    [{ transferFrom: join(root, 'none') }, 'RUN_MISSING', /does not exist/],
    [{ images: 0 }, 'USAGE', /--images is 0/],
    [{ batchSize: 0 }, 'USAGE', /--batch is 0/],
    [{ seed: 0.5 }, 'USAGE', /--seed is 0.5/],
    [{ repeats: NaN }, 'USAGE', /--repeats is NaN/],
    [{ threat: { epsilon: 8 } }, 'CONFIG_INVALID', /pixels are in \[0, 1\]/],
  ];
  const attacked = () => {
    throw new Error('an attack was run');
  };
  it.each(never)('refuses %j before anything is attacked', async (options, code, message) => {
    const asked = evaluate(run, { ...(options as EvaluateOptions), progress: attacked });
    await expect(held(asked)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
