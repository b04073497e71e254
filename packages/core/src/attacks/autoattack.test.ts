import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { rangeOf, takeExamples } from '../batch.js';
import { createNetwork, surrounded, type Classifier, type Network } from '../classifier/index.js';
import { useEngine } from '../engine/index.js';
import { networkGraph } from '../network/index.js';
import { createRandom } from '../random.js';
import { evaluate, type EvaluationResult } from '../evaluation/index.js';
import { goldenRandom, readGolden, toyClassifier, toyImages } from '../testing/golden.js';
import { norms } from '../threat/index.js';
import { autoAttack, autoAttackPlugin, type AutoAttackOptions, type AutoAttackPart } from './autoattack.js';
import { misclassified } from './judge.js';

/** The whole standard version is replayed by `bulwark verify`, whose tests run it; here are its parts. */
interface Block {
  norm: 'Linf' | 'L2' | 'L1';
  eps: number;
  version: AutoAttackOptions['version'];
  attacks: AutoAttackPart[] | null;
  runs: { seed: number; clean: string; stages: { attack: string; robust: string }[] }[];
  stable: Record<string, string>;
}
/** For machines that are busy with something else. */
const patience = 600_000;
const threat = { norm: norms.linf, epsilon: 8 / 255 };
const images = toyImages();
let model: Network;
beforeAll(async () => {
  await useEngine('wasm');
  model = toyClassifier();
});
afterAll(() => model.dispose());

/** Every batch of every stage draws from the start of the stream: the official code reseeds before each. */
const run = (attacks: AutoAttackPart[], { classifier = model as Classifier, data = images, queries = 1000 } = {}) =>
  evaluate({
    model: classifier,
    data,
    attacks: [autoAttack({ version: 'custom', attacks, restarts: 1, queries }, 'linf')],
    threat,
    randomFor: () => goldenRandom(0),
  });

/** Correct after this stage and those before it, one character per example. */
function robustAfter(result: EvaluationResult, label: string): string {
  const stages = result.attacks.slice(0, result.attacks.findIndex((entry) => entry.label === label) + 1);
  return [...result.clean.flags].map((flag, i) => (stages.some(({ flags }) => flags[i] === '0') ? '0' : flag)).join('');
}

const count = (flags: string) => [...flags].filter((flag) => flag === '1').length;
function expectAgreement(block: Block, result: EvaluationResult, label: string) {
  const [ours, theirs] = [
    robustAfter(result, label),
    block.runs[0]!.stages.find(({ attack }) => attack === label)!.robust,
  ];
  const unequal = [...block.stable[label]!].filter((flag, i) => flag === '1' && ours[i] !== theirs[i]);
  expect(unequal).toEqual([]);
  expect(Math.abs(count(ours) - count(theirs))).toBeLessThanOrEqual(2);
}

describe('parts of AutoAttack, flag by flag as the official code', () => {
  const { blocks } = readGolden<{ blocks: Block[] }>('autoattack-other');
  const alone = (part: AutoAttackPart) =>
    blocks.find(({ version, attacks }) => version === 'custom' && attacks?.join() === part)!;

  it.each(['apgd-ce', 'apgd-dlr', 'square'] as const)(
    '%s on all images',
    async (part) => {
      const result = await run([part]);
      expect(result.clean.flags).toBe(alone(part).runs[0]!.clean);
      expectAgreement(alone(part), result, part);
    },
    patience,
  );

  it(
    'square finds what hidden gradients hide from APGD, and the trust checks say so',
    async () => {
      const [block] = readGolden<{ blocks: Block[] }>('autoattack-masked').blocks;
      const masked = surrounded(model, { before: (x) => tf.div(tf.floor(tf.mul(x, 16)), 16) });
      const result = await run(['apgd-ce', 'square'], { classifier: masked });
      expectAgreement(block!, result, 'apgd-ce');
      expectAgreement(block!, result, 'square');
      expect(result.findings.map(({ id }) => id)).toEqual(['zero-gradient', 'square-better']);
      expect(result.attacks[0]!.zeroGradients).toBe(result.attacks[0]!.attacked);
    },
    patience,
  );
});

describe('the ensemble', () => {
  const few = { ...images, ...rangeOf(images, 0, 12) };

  it('is as strong in one call on a batch as stage by stage in the evaluator', async () => {
    const attack = autoAttack({ version: 'custom', attacks: ['apgd-ce', 'square'], restarts: 1, queries: 100 }, 'linf');
    const batch = takeExamples(few, [...few.labels.keys()]);
    const candidates = await attack.run(batch.images, batch.labels, { model, threat, random: goldenRandom(0) });
    const wrong = misclassified(model, candidates, batch.labels).dataSync();
    const result = await run(['apgd-ce', 'square'], { data: few, queries: 100 });
    expect([...wrong].map((flag) => 1 - flag).join('')).toBe(result.worst.flags);
    result.attacks.forEach(({ accuracy }) => expect(result.worst.accuracy).toBeLessThanOrEqual(accuracy));
    tf.dispose([candidates, batch.images, batch.labels]);
  });
  it('is never made weaker by restarts', async () => {
    const accuracy = async (restarts: number) => {
      const attack = autoAttack({ version: 'custom', attacks: ['apgd-ce'], restarts, queries: 1 }, 'linf');
      return (await evaluate({ model, data: few, attacks: [attack], threat, randomFor: () => goldenRandom(0) })).worst
        .accuracy;
    };
    expect(await accuracy(2)).toBeLessThanOrEqual(await accuracy(1));
  });
  it('has the stages of the official versions', () => {
    const labels = (version: AutoAttackOptions['version']) =>
      autoAttack({ version, queries: 5000 }, 'linf').stages!.map(({ label }) => label);
    expect(labels('standard')).toEqual(['apgd-ce', 'apgd-t', 'fab-t', 'square']);
    expect(labels('plus')).toEqual(['apgd-ce', 'apgd-dlr', 'fab', 'square', 'apgd-t', 'fab-t']);
    expect(labels('rand')).toEqual(['apgd-ce', 'apgd-dlr']);
  });
  it.each([
    [2, ['apgd-ce', 'apgd-margin', 'apgd-margin-t', 'fab-t', 'square']],
    [3, ['apgd-ce', 'apgd-dlr', 'apgd-margin-t', 'fab-t', 'square']],
    [4, ['apgd-ce', 'apgd-dlr', 'apgd-t', 'fab-t', 'square']],
  ])(
    'takes the margin where %d classes are too few for DLR, labels it so, and breaks what can be broken',
    async (...given) => {
      const [classes, labels] = given;
      const graph = networkGraph([4, 4, 1], (g) => g.linear('fc', g.flatten(g.input), { units: classes }));
      const small = createNetwork(graph, { name: 'small', random: createRandom(3) });
      const parts: AutoAttackPart[] = ['apgd-ce', 'apgd-dlr', 'apgd-t', 'fab-t', 'square'];
      const attack = autoAttack({ version: 'custom', attacks: parts, restarts: 1, queries: 20 }, 'linf');
      const fitting = attack.forClasses!(classes);
      expect(fitting === attack).toBe(classes === 4);
      expect(fitting.label).toBe(`autoattack-custom(${labels.join('+')})`);
      expect(autoAttack({ version: 'standard', queries: 5000 }, 'linf').forClasses!(classes).label).toBe(
        classes === 4 ? 'autoattack-standard' : 'autoattack-custom(apgd-ce+apgd-margin-t+fab-t+square)',
      );
      const pixels = Uint8Array.from({ length: 16 * 6 }, (_, i) => 60 + ((i * 37) % 130));
      const unknown = { images: pixels, labels: new Int32Array(6), shape: [4, 4, 1] as const };
      const { worst } = await evaluate({
        model: small,
        data: unknown,
        attacks: [attack],
        threat: { ...threat, epsilon: 0 },
      });
      const data = { ...unknown, labels: Int32Array.from(worst.predictions) };
      for (const part of parts) {
        const alone = autoAttack({ version: 'custom', attacks: [part], restarts: 1, queries: 200 }, 'linf');
        const result = await evaluate({ model: small, data, attacks: [alone], threat: { ...threat, epsilon: 0.4 } });
        expect(result.attacks[0]!.label).toBe(labels[parts.indexOf(part)]);
        expect([part, result.worst.accuracy]).toEqual([part, part === 'square' ? expect.any(Number) : 0]);
      }
      small.dispose();
    },
  );
  it('names what departs from a version', () => {
    const label = (more: Partial<AutoAttackOptions>) =>
      autoAttack({ version: 'standard', queries: 5000, ...more }, 'linf').label;
    expect(label({})).toBe('autoattack-standard');
    expect(label({ version: 'rand' })).toBe('autoattack-rand');
    expect(label({ queries: 100, restarts: 2, eot: 5 })).toBe('autoattack-standard-queries100-x2-eot5');
  });
  it('refuses a list of attacks together with a named version, and custom without one', () => {
    const services = { threat } as Parameters<typeof autoAttackPlugin.create>[1];
    const make = (options: object) => () => autoAttackPlugin.create(autoAttackPlugin.options.parse(options), services);
    expect(make({ version: 'plus', attacks: ['square'] })).toThrow('version is plus, and attacks is square');
    expect(make({ version: 'custom' })).toThrow('version is custom, and attacks is missing');
  });
  it('says what is missing on a model with too few classes for targeted DLR', async () => {
    const three = surrounded(model, { after: (logits) => tf.slice(logits, [0, 0], [-1, 3]) }, 3);
    const data = { ...few, labels: few.labels.map((label) => label % 3) };
    const batch = takeExamples(data, [0]);
    const [alone] = autoAttack({ version: 'custom', attacks: ['apgd-t'], queries: 1 }, 'linf').stages!;
    await expect(
      alone!.run(batch.images, batch.labels, { model: three, threat, random: goldenRandom(0) }),
    ).rejects.toMatchObject({ code: 'ATTACK_INVALID' });
    tf.dispose([batch.images, batch.labels]);
  });
});
