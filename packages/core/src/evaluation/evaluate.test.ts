import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { subset, type ImageSet } from '../batch.js';
import { logitsOf, surrounded, type Network } from '../classifier/index.js';
import { useEngine } from '../engine/index.js';
import type { Attack } from '../hooks/index.js';
import { norms } from '../threat/index.js';
import { accuracyCurve, unionOf } from './curve.js';
import { evaluate, type Evaluation } from './evaluate.js';
import { mergeEvaluations, shardPositions } from './merge.js';
import { loadEvaluation, lockEvaluation, saveEvaluation } from './result-file.js';
import { parseEvaluation, type EvaluationResult, type TrustFinding } from './result.js';
import { thresholdModel } from './threshold-testing.js';

/** The class is whether the one pixel is above 0.5: images 0.2, 0.45, 0.55, 0.8 lie 0.3, 0.05, 0.05, 0.3 from the boundary. */
const data: ImageSet = {
  images: Uint8Array.from([51, 115, 140, 204, 51, 204]),
  labels: Int32Array.from([0, 0, 1, 1, 1, 1]), // the fifth is wrong from the start
  shape: [1, 1, 1],
};
const threat = { norm: norms.linf, epsilon: 0.1 };
let model: Network;
beforeAll(async () => {
  await useEngine('cpu');
  model = thresholdModel();
});

/** Moves every pixel by this much, cut to [0, 1] unless `raw`. */
const shift = (by: number, { label = `shift${by}`, raw = false } = {}): Attack & { calls: number[] } => {
  const calls: number[] = [];
  return {
    label,
    settings: { by },
    calls,
    run(images) {
      calls.push(images.shape[0]);
      return tf.tidy(() => {
        const moved = tf.add(images, by) as tf.Tensor4D;
        return raw ? moved : tf.clipByValue(moved, 0, 1);
      });
    },
  };
};
const run = (changes: Partial<Evaluation>) =>
  evaluate({ model, data, attacks: [shift(0.1)], threat, batchSize: 2, ...changes });

describe('the evaluator', () => {
  it('takes the worst case per example over all attacks', async () => {
    const up = shift(0.099, { label: 'up' });
    const down = shift(-0.099, { label: 'down' });
    const result = await run({ attacks: [up, down] });
    expect(result.clean.flags).toBe('111101');
    expect(result.attacks.map(({ flags }) => flags)).toEqual(['1011-1', '1101-1']);
    expect(result.worst.flags).toBe('100101');
    expect(result.worst.accuracy).toBeCloseTo(0.5);
    expect(result.worst.confusion).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(result.worst.perClass).toEqual([
      { class: 0, count: 2, clean: 1, robust: 0.5 },
      { class: 1, count: 4, clean: 0.75, robust: 0.5 },
    ]);
    expect(result.attacks[0]!.linf.max).toBeCloseTo(0.099, 6);
    expect(result.complete).toBe(true);
  });
  it('keeps the extreme pixels and lengths of what broke an image, and of nothing else', async () => {
    // 0.45 becomes 0.55 and counts; 0.8 becomes 0.9, which breaks nothing
    const { attacks } = await run({ attacks: [shift(0.099, { label: 'up' }), shift(0, { label: 'idle' })] });
    const [up, idle] = attacks as [EvaluationResult['attacks'][0], EvaluationResult['attacks'][0]];
    expect(up.pixels!.min).toBeCloseTo(115 / 255 + 0.099, 6);
    expect(up.pixels!.max).toBe(up.pixels!.min);
    for (const { max, mean } of [up.linf, up.l2, up.l1!]) expect([max, mean]).toEqual([up.l1!.max, up.l1!.max]);
    expect([idle.pixels, idle.l1]).toEqual([undefined, { max: 0, mean: 0 }]);
  });
  it('has no figure of a part of what an attack did, where it was begun without keeping it', async () => {
    const begun = await run({ attacks: [shift(0.099)] });
    const [{ l1: _l1, pixels: _pixels, ...entry }] = begun.attacks as [EvaluationResult['attacks'][0]];
    const before = { ...begun, attacks: [{ ...entry, done: false, flags: `..${entry.flags.slice(2)}`, attacked: 3 }] };
    const result = await run({ attacks: [shift(0.099)], previous: before });
    expect(result.attacks[0]).toMatchObject({ done: true, flags: '1011-1' });
    expect([result.attacks[0]!.l1, result.attacks[0]!.pixels]).toEqual([undefined, undefined]);
  });
  it('measures what an attack found that seeks the smallest perturbation, inside the ball or not', async () => {
    const up: Attack = { ...shift(0.2, { label: 'up' }), minimumNorm: true };
    const result = await run({ attacks: [up] });
    const [entry] = result.attacks;
    // 0.45 becomes 0.65, which is outside the ball of 0.1: no fault, and no success either
    expect(entry).toMatchObject({ flags: '1111-1', accuracy: result.clean.accuracy, rejected: { 'outside-ball': 0 } });
    expect(entry!.distances!.map((distance) => distance && Math.round(100 * distance))).toEqual([
      ...[null, 20, null, null, null, null],
    ]);
    const wider = await run({ attacks: [up], threat: { ...threat, epsilon: 0.2 } });
    expect(wider.attacks[0]).toMatchObject({ flags: '1011-1' });
    const changed = structuredClone(wider);
    changed.attacks[0]!.distances![1] = 0.3;
    expect(() => parseEvaluation(changed, 'file')).toThrow(/attacks.0.distances within the radius is 0; .* it is 1/);
    expect(parseEvaluation(JSON.parse(JSON.stringify(wider)), 'file')).toEqual(wider);
  });
  const at = (epsilon: number) => ({ threat: { ...threat, epsilon } });
  it('counts as broken what the same attack broke within a smaller radius, and does not attack it again', async () => {
    const down = shift(-0.06, { label: 'fickle' });
    /** Finds something within small radii only. */
    const fickle: Attack = {
      ...down,
      run: (images, labels, context) =>
        context.threat.epsilon > 0.15 ? images.clone() : down.run(images, labels, context),
    };
    const small = await run({ attacks: [fickle], ...at(0.1) });
    expect(small.worst.flags).toBe('110101');
    const alone = await run({ attacks: [fickle], ...at(0.2) });
    expect(alone.worst.flags).toBe('111101');
    const large = await run({ attacks: [fickle], ...at(0.2), smaller: small });
    expect(large.worst.flags).toBe('110101');
    expect(large.attacks[0]).toMatchObject({ attacked: 4, reused: 1, flags: '1101-1' });
    expect(parseEvaluation(JSON.parse(JSON.stringify(large)), 'file')).toEqual(large);
    // a finished result learns, too
    const later = await run({ attacks: [fickle], ...at(0.2), previous: alone, smaller: small });
    expect(later.worst).toEqual(large.worst);
    expect(accuracyCurve([large, small]).map(({ epsilon, flags }) => [epsilon, flags])).toEqual([
      [0, '111101'],
      [0.1, '110101'],
      [0.2, '110101'],
    ]);
    await expect(run({ attacks: [fickle], ...at(0.05), smaller: small })).rejects.toThrow(/the larger epsilon 0.1/);
  });
  it('does not run a stage on what another stage broke within a smaller radius', async () => {
    const [up, down] = [shift(0.06, { label: 'up' }), shift(-0.06, { label: 'down' })];
    const ensemble: Attack = { label: 'both', stages: [up, down], run: (images) => images.clone() };
    const small = await run({ attacks: [ensemble], batchSize: 9 });
    const large = await run({ attacks: [ensemble], batchSize: 9, ...at(0.2), smaller: small });
    expect(small.attacks.map(({ flags }) => flags)).toEqual(['1011-1', '1-01-1']);
    expect(large.attacks.map(({ flags }) => flags)).toEqual(['10-1-1', '1-01-1']);
    expect(up.calls).toEqual([5, 3]);
    expect(parseEvaluation(JSON.parse(JSON.stringify(large)), 'file')).toEqual(large);
  });
  it('takes the whole curve from one search for the smallest perturbation', async () => {
    const up: Attack & { calls: number[] } = { ...shift(0.2, { label: 'up' }), minimumNorm: true };
    const small = await run({ attacks: [up], batchSize: 9 });
    const large = await run({ attacks: [up], ...at(0.25), smaller: small });
    expect(up.calls).toEqual([5]);
    expect(large.attacks[0]).toMatchObject({ attacked: 0, reused: 5, flags: '1011-1' });
    expect(large.worst.confusion[0]).toEqual([1, 1]);
    expect(accuracyCurve([small, large]).map(({ accuracy }) => Math.round(6 * accuracy))).toEqual([5, 5, 4]);
    expect(parseEvaluation(JSON.parse(JSON.stringify(large)), 'file')).toEqual(large);
  });
  it('has the union of several threat models per image', async () => {
    const results = [await run({ attacks: [shift(0.099)] }), await run({ attacks: [shift(-0.099)] })];
    expect(results.map(({ worst }) => worst.flags)).toEqual(['101101', '110101']);
    expect(unionOf(results)).toMatchObject({ flags: '100101', accuracy: 0.5 });
    const others = { ...results[0]!, data: { ...results[0]!.data, fingerprint: 'other' } };
    expect(() => unionOf([results[0]!, others])).toThrow(/a union of results of different images/);
    const round = { ...results[0]!, threat: { norm: 'l2' as const, epsilon: 1 } };
    expect(() => accuracyCurve([results[0]!, round])).toThrow(/in linf and l2/);
  });
  it('refuses an attack that is not one in the norm, before anything is attacked', async () => {
    const first = shift(0.1);
    const attacks = [first, { ...shift(0.1), label: 'round', norms: ['l2'] as const }];
    await expect(run({ attacks })).rejects.toThrow(/attack round is one in l2, not in linf/);
    expect(first.calls).toEqual([]);
  });
  it('runs the stages of an ensemble on the survivors only, in full batches', async () => {
    const [up, down] = [shift(0.099, { label: 'up' }), shift(-0.099, { label: 'down' })];
    const ensemble: Attack = {
      label: 'both',
      stages: [up, down],
      run: () => {
        throw new Error('the evaluator runs the stages');
      },
    };
    const result = await run({ attacks: [ensemble] });
    expect(result.attacks.map(({ flags }) => flags)).toEqual(['1011-1', '1-01-1']);
    expect(down.calls).toEqual([2, 2]);
    expect(result.attacks[1]!.accuracy).toBeCloseTo(0.5);
  });
  it('reports candidates outside the ball or the pixel range and does not count them', async () => {
    const far = await run({ attacks: [shift(0.7, { label: 'far' }), shift(-0.7, { label: 'below', raw: true })] });
    expect(far.worst.flags).toBe(far.clean.flags);
    expect(far.attacks[0]!.rejected['outside-ball']).toBe(2);
    expect(far.attacks[1]!.rejected).toMatchObject({ 'outside-ball': 2, 'outside-pixel-range': 1, 'not-finite': 0 });
    expect(far.findings.map(({ id }) => id)).toEqual(['constraint-violated', 'constraint-violated']);
    const nan = await run({ attacks: [shift(NaN, { label: 'nan' })] });
    expect(nan.worst.flags).toBe(nan.clean.flags);
    expect(nan.attacks[0]!.rejected['not-finite']).toBe(5);
    expect(nan.findings.map(({ id }) => id)).toEqual(['attack-not-finite']);
  });
  it('says whose fault it is where a model answers NaN to a candidate', async () => {
    const fragile = surrounded(model, { after: (z) => tf.where(tf.less(tf.abs(z), 0.3), tf.fill(z.shape, NaN), z) });
    const result = await run({ model: fragile, attacks: [shift(-0.045, { label: 'near' })] });
    expect(result.attacks[0]!.rejected).toMatchObject({ 'not-finite': 0, 'logits-not-finite': 1 });
    expect(result.findings.map(({ id }) => id)).toEqual(['model-not-finite']);
  });
  it('tells of what it finds once, as soon as it shows: of the model before the first attack', async () => {
    const events: string[] = [];
    const notice = ({ id }: TrustFinding) => void events.push(id);
    const far = { ...shift(0.7, { label: 'far' }), run: (x: tf.Tensor4D) => (events.push('run'), tf.add(x, 0.7)) };
    const softmax = surrounded(model, { after: (z) => tf.softmax(z) });
    await run({ model: softmax, attacks: [far as Attack], notice });
    expect(events).toEqual(['softmax-output', 'run', 'constraint-violated', 'run', 'run']);
  });
  it('judges a model that answers differently each time by its most frequent answer, if asked to', async () => {
    let passes = 0;
    const moody = surrounded(model, { after: (z) => tf.mul(z, passes++ % 3 === 2 ? -1 : 1) });
    const judged = await run({ model: moody, repeats: 3, attacks: [shift(0.099), shift(-0.2, { label: 'far' })] });
    const calm = await run({ attacks: [shift(0.099), shift(-0.2, { label: 'far' })] });
    expect([judged.clean.flags, judged.worst.flags]).toEqual([calm.clean.flags, calm.worst.flags]);
    expect(judged.repeats).toBe(3);
    expect(judged.findings.find(({ id }) => id === 'randomised-output')?.hint).toContain('--repeats 20');
    await expect(run({ model: moody, previous: judged })).rejects.toThrow(/3 passes for each answer/);
    const averaging = { ...shift(0.099), settings: { eot: 20 } };
    const informed = await run({ model: moody, repeats: 3, attacks: [averaging] });
    expect(informed.findings).toEqual([]);
  });
  it('runs what an attack gives for the number of classes, under its own label, and says so first', async () => {
    const up = shift(0.099, { label: 'up' });
    const many: Attack = {
      ...shift(0),
      label: 'apgd-dlr',
      settings: { loss: 'dlr' },
      forClasses: (k) => (k < 3 ? up : many),
    };
    const events: string[] = [];
    const result = await run({
      attacks: [many],
      notice: ({ what }) => void events.push(what, `${up.calls.length} runs`),
    });
    expect(events).toEqual(['apgd-dlr on a model with 2 classes: up instead of apgd-dlr', '0 runs']);
    expect(result.attacks.map(({ label }) => label)).toEqual(['up']);
  });
  it('counts nothing that is classified correctly, whatever the attack claims', async () => {
    const result = await run({ attacks: [shift(0.01)] });
    expect(result.worst.flags).toBe(result.clean.flags);
  });
  it('continues an interrupted evaluation without repeating batches', async () => {
    const attack = shift(0.099);
    const whole = await run({ attacks: [shift(0.099)] });
    const controller = new AbortController();
    let saved = whole;
    const interrupted = run({
      attacks: [attack],
      signal: controller.signal,
      save: (result) => {
        saved = result;
        controller.abort();
      },
    });
    await expect(interrupted).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(saved.complete).toBe(false);
    expect(saved.attacks[0]!.flags).toBe('10..-.');
    const continued = await run({ attacks: [attack], previous: saved });
    expect(attack.calls).toEqual([2, 2, 1]);
    expect({ ...continued.attacks[0], seconds: 0 }).toEqual({ ...whole.attacks[0], seconds: 0 });
    expect(continued.worst).toEqual(whole.worst);
  });
  it('extends a finished evaluation by another attack', async () => {
    const first = await run({ attacks: [shift(0.099)] });
    const again = shift(0.099);
    const extended = await run({ attacks: [again, shift(-0.099)], previous: first });
    expect(again.calls).toEqual([]);
    expect(extended.worst.flags).toBe('100101');
  });
  it('refuses to continue the evaluation of another model, data set, threat or seed', async () => {
    const first = await run({});
    const other = { ...data, labels: Int32Array.from([0, 0, 1, 1, 0, 1]) };
    await expect(run({ previous: first, data: other })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(run({ previous: first, threat: { ...threat, epsilon: 0.2 } })).rejects.toThrow(/epsilon 0\.1/);
    const changed = { ...first, model: { ...first.model, fingerprint: 'x' } };
    await expect(run({ previous: changed })).rejects.toThrow(/another model/);
  });
  it('gives the clean accuracy at epsilon 0 without running an attack', async () => {
    const attack = shift(0);
    const result = await run({ attacks: [attack], threat: { ...threat, epsilon: 0 } });
    expect(attack.calls).toEqual([]);
    expect(result.worst.flags).toBe(result.clean.flags);
  });
  it('tells where it is and how long it will take', async () => {
    const shares: number[] = [];
    await run({
      progress: ({ share, eta, label }) => shares.push(share) && expect([label, eta! >= 0]).toEqual(['shift0.1', true]),
    });
    expect(shares).toEqual([0.4, 0.8, 1]);
  });
  it.each([
    ['an empty set', { data: { ...data, images: new Uint8Array(0), labels: new Int32Array(0) } }, 'BATCH_INVALID'],
    ['a negative epsilon', { threat: { ...threat, epsilon: -1 } }, 'CONFIG_INVALID'],
    ['a radius beyond the pixel range', { threat: { ...threat, epsilon: 8 } }, 'CONFIG_INVALID'],
    ['a radius in l2 beyond it', { threat: { norm: norms.l2, epsilon: 1.01 } }, 'CONFIG_INVALID'],
    ['no attack', { attacks: [] }, 'CONFIG_INVALID'],
    ['half a pass', { repeats: 0.5 }, 'CONFIG_INVALID'],
    ['images without labels', { data: { ...data, labels: Int32Array.from([0, 0, -1, 1, 1, 1]) } }, 'BATCH_INVALID'],
    [
      'images of another size',
      { data: { images: new Uint8Array(4), labels: new Int32Array(1), shape: [2, 2, 1] as const } },
      'BATCH_INVALID',
    ],
  ])('refuses %s', async (_what, changes, code) => {
    await expect(run(changes)).rejects.toMatchObject({ code });
  });
  it('refuses a model that answers for other classes than it says it has', async () => {
    const odd = surrounded(model, { after: (logits) => tf.concat([logits, logits], 1) });
    await expect(run({ model: odd })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('answers 4 numbers for each image; it says that it has 2 classes') as unknown,
    });
  });
  it('knows clean logits once: attacks get those of their images, and no pass is made for them again', async () => {
    const asked: number[][] = [];
    const attack: Attack = {
      label: 'asks',
      async run(images, _labels, { clean, model: attacked }) {
        expect([clean!.model === attacked, clean!.images === images]).toEqual([true, true]);
        asked.push([...(await clean!.logits.data())]);
        return images.clone();
      },
    };
    await run({ attacks: [attack] });
    const expected = logitsOf(
      model,
      tf.tensor4d(
        [51, 115, 140, 204, 204].map((x) => x / 255),
        [5, 1, 1, 1],
      ),
    );
    expect(asked.flat().map((x) => x.toFixed(4))).toEqual([...(await expected.data())].map((x) => x.toFixed(4)));
    expected.dispose();
  });
  it('refuses a model whose logits are not finite', async () => {
    const broken = surrounded(model, { after: (logits) => tf.mul(logits, NaN) });
    await expect(run({ model: broken })).rejects.toMatchObject({ code: 'MODEL_INVALID' });
  });
  it('leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    await run({});
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('an evaluation in shards', () => {
  const attacks = [shift(0.099, { label: 'up' }), shift(-0.099, { label: 'down' })];
  const shard = (index: number, changes: Partial<Evaluation> = {}) =>
    run({ attacks, data: subset(data, shardPositions(6, { index, count: 3 })), ...changes });

  it('becomes the result of the whole', async () => {
    const shards = [await shard(1), await shard(2), await shard(3)];
    expect(shards.map(({ data: { count } }) => count)).toEqual([2, 2, 2]);
    const merged = await mergeEvaluations(shards, { model, data, threat });
    const whole = await run({ attacks });
    const timeless = (result: typeof whole) => ({
      ...result,
      attacks: result.attacks.map(({ linf, l2, ...rest }) => ({ ...rest, seconds: 0, max: [linf.max, l2.max] })),
    });
    expect(timeless(merged)).toEqual(timeless(whole));
    merged.attacks.forEach(({ linf }, k) => expect(linf.mean).toBeCloseTo(whole.attacks[k]!.linf.mean, 6));
  });
  it('takes every image once', () => {
    const all = [1, 2, 3, 4].flatMap((index) => shardPositions(10, { index, count: 4 }));
    expect(all.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
  it.each([
    ['of another radius', { threat: { ...threat, epsilon: 0.2 } }, 'shard 2 of 3 has epsilon 0.2'],
    ['with another seed', { seed: 7 }, 'shard 2 of 3 has seed 7'],
    ['with other attacks', { attacks: [attacks[1]!, attacks[0]!] }, 'shard 2 has other attacks than shard 1'],
    ['of another size', { data: subset(data, [0]) }, 'shard 2 of 3 has 1 images instead of 2'],
  ])('is not merged with a part %s', async (_what, changes, message) => {
    const shards = [await shard(1), await shard(2, changes), await shard(3)];
    await expect(mergeEvaluations(shards, { model, data, threat })).rejects.toThrow(message);
  });
});

describe('a result file', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'bulwark-')), 'evaluation.json');
  it('comes back as it was written', async () => {
    const result = await run({});
    await saveEvaluation(file, result);
    expect(await loadEvaluation(file)).toEqual(JSON.parse(JSON.stringify(result)));
  });
  it('is refused where it is damaged, and missing where it is missing', async () => {
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, 100));
    await expect(loadEvaluation(file)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    writeFileSync(file, '{"format":"bulwark-evaluation","version":2}');
    await expect(loadEvaluation(file)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    expect(await loadEvaluation(`${file}.none`)).toBeUndefined();
  });
  it('is refused where it was changed, and where it has no checksum', async () => {
    const result = await run({});
    await saveEvaluation(file, result);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/"seed":0/, '"seed":1'));
    await expect(loadEvaluation(file)).rejects.toThrow('was changed since it was written: its checksum differs');
    writeFileSync(file, JSON.stringify(result));
    await expect(loadEvaluation(file)).rejects.toThrow('has no checksum');
  });
  it('is refused where a figure is not that of its flags, whatever its checksum says', async () => {
    const result = JSON.parse(JSON.stringify(await run({}))) as EvaluationResult;
    const numbers = [...pathsOf(result)].filter((path) => figures.test(path.join('.')));
    expect(numbers.length).toBeGreaterThan(20);
    for (const path of numbers) {
      const changed = structuredClone(result);
      const holder = path.slice(0, -1).reduce<Record<string, never>>((part, key) => part[key]!, changed as never);
      const key = path.at(-1)!;
      (holder as Record<string, number>)[key] = (holder[key] as unknown as number) === 0.99 ? 0.98 : 0.99;
      await saveEvaluation(file, changed);
      await expect(loadEvaluation(file)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    }
    for (const [from, to] of [
      [result.clean.flags, `${result.clean.flags.slice(0, -1)}${result.clean.flags.endsWith('1') ? '0' : '1'}`],
      [result.worst.flags, '1'.repeat(result.worst.flags.length)],
    ] as const) {
      await saveEvaluation(
        file,
        JSON.parse(JSON.stringify(result).replaceAll(`"${from}"`, `"${to}"`)) as EvaluationResult,
      );
      if (from !== to) await expect(loadEvaluation(file)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    }
  });
  it('is whole for whoever reads it while two write it, one of whom has to wait', async () => {
    const lock = lockEvaluation(file);
    expect(() => lockEvaluation(file)).toThrow(`process ${process.pid} is writing ${file}`);
    lock.release();
    lockEvaluation(file).release();
  });
});

/** Figures that follow from the flags. */
const figures =
  /^(clean|worst|attacks\.\d+)\.accuracy$|interval|attacked|perClass\.\d+\.(count|clean|robust)|worstClass\.robust|confusion|predictions/;

/** Paths to all numbers of a value. */
function* pathsOf(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (typeof value === 'number') yield path;
  if (typeof value === 'object' && value !== null)
    for (const [key, part] of Object.entries(value)) yield* pathsOf(part, [...path, key]);
}
