import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as tf from '@tensorflow/tfjs-core';
import { takeExamples } from '../batch.js';
import type { Classifier, Network } from '../classifier/index.js';
import { useEngine } from '../engine/index.js';
import { evaluate } from '../evaluation/index.js';
import { goldenRandom, readGolden, toyClassifier, toyImages } from '../testing/golden.js';
import { norms } from '../threat/index.js';
import { autoAttack, type AutoAttackOptions, type AutoAttackPart } from './autoattack.js';
import { misclassified } from './judge.js';

interface Block {
  norm: 'Linf' | 'L2' | 'L1';
  eps: number;
  version: AutoAttackOptions['version'];
  attacks: AutoAttackPart[] | null;
  bs: number;
  runs: {
    seed: number;
    dtype: string;
    clean: string;
    stages: { attack: string; robust: string; batch_sizes?: number[] }[];
  }[];
  stable: Record<string, string>;
}
const images = toyImages();
const normName = { Linf: 'linf', L2: 'l2', L1: 'l1' } as const;
let model: Network;
beforeAll(async () => {
  await useEngine('wasm');
  model = toyClassifier();
});
afterAll(() => model.dispose());

/** Every batch of every stage draws from the start of the stream: the official code reseeds before each. */
async function run(block: Block, classifier: Classifier, changes: Partial<AutoAttackOptions>) {
  const norm = normName[block.norm];
  const epsilon = norm === 'linf' ? Math.round(block.eps * 255) / 255 : block.eps;
  const attack = autoAttack({ version: block.version, queries: 5000, ...changes }, norm);
  return evaluate({
    model: classifier,
    data: images,
    attacks: [attack],
    threat: { norm: norms[norm], epsilon },
    batchSize: block.bs,
    randomFor: () => goldenRandom(block.runs[0]!.seed),
  });
}

/** Flags after each stage, as the official code reports them: still correct. */
function cumulative(result: Awaited<ReturnType<typeof evaluate>>): Record<string, string> {
  let robust = [...result.clean.flags];
  return Object.fromEntries(
    result.attacks.map(({ label, flags }) => {
      robust = robust.map((flag, i) => (flags[i] === '0' ? '0' : flag));
      return [label, robust.join('')];
    }),
  );
}

function expectAgreement(block: Block, result: Awaited<ReturnType<typeof evaluate>>, slack = 2) {
  const ours = cumulative(result);
  expect(result.clean.flags).toBe(block.runs[0]!.clean);
  for (const { attack, robust } of block.runs[0]!.stages) {
    const flags = ours[attack]!;
    const stable = [...block.stable[attack]!];
    expect({ attack, unequal: stable.filter((flag, i) => flag === '1' && flags[i] !== robust[i]).length }).toEqual({
      attack,
      unequal: 0,
    });
    const count = (text: string) => [...text].filter((flag) => flag === '1').length;
    expect(Math.abs(count(flags) - count(robust))).toBeLessThanOrEqual(slack);
  }
}

const standard = readGolden<{ blocks: Block[] }>('autoattack-standard').blocks;
const other = readGolden<{ blocks: Block[] }>('autoattack-other').blocks;
const title = ({ norm, eps, version, bs }: Block) => `${version}, ${norm} ${eps.toFixed(3)}, batches of ${bs}`;

describe('AutoAttack, flag by flag as the official code', () => {
  it.each(standard.map((block) => [title(block), block] as const))('%s', async (_title, block) => {
    const t = performance.now();
    const result = await run(block, model, {});
    console.log(
      title(block),
      performance.now() - t,
      result.attacks.map((a) => [a.label, a.attacked, a.seconds.toFixed(1)].join(' ')).join('; '),
    );
    expectAgreement(block, result);
    const accuracies = result.attacks.map(({ accuracy }) => accuracy);
    accuracies.forEach((accuracy) => expect(result.worst.accuracy).toBeLessThanOrEqual(accuracy));
  });
  it.each(other.map((block) => [title(block), block] as const))('%s', async (_title, block) => {
    const t = performance.now();
    const parts = block.attacks ? { attacks: block.attacks, restarts: 1, queries: 1000 } : {};
    const eot = block.version === 'rand' ? { eot: 2 } : {};
    const result = await run(block, model, { ...parts, ...eot });
    console.log(
      title(block),
      performance.now() - t,
      result.attacks.map((a) => [a.label, a.attacked, a.seconds.toFixed(1)].join(' ')).join('; '),
    );
    expectAgreement(block, result, block.norm === 'L1' ? 4 : 2);
  });
});
void tf;
void takeExamples;
void misclassified;
