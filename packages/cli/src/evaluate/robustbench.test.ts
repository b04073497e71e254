import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { AttackEntry, EvaluationResult, ImageSet } from '@bulwark/core';
import { autoAttack } from '@bulwark/core/attacks';
import { zooEntries } from '@bulwark/models';
import { autoAttackLog } from './autoattack-log.js';
import { checkStandard, claimFile, radiusText, robustBenchEntry } from './robustbench.js';

const stage = (label: string, flags: string, accuracy: number, over: Partial<AttackEntry> = {}): AttackEntry => ({
  ...{ label, ensemble: 'autoattack-standard', settings: {}, done: true, flags, accuracy, seconds: 1.25 },
  attacked: [...flags].filter((flag) => flag !== '-').length,
  linf: { max: 0.0313725, mean: 0.03 },
  l2: { max: 0.5, mean: 0.4 },
  l1: { max: 3.25, mean: 3 },
  rejected: {},
  zeroGradients: 0,
  ...over,
});

/** 8 images, one wrong from the start; three broken by the first stage, one by the last. */
const result = {
  threat: { norm: 'linf', epsilon: 8 / 255 },
  data: { count: 8, classes: 10, fingerprint: '' },
  clean: { accuracy: 7 / 8, flags: '11111110', interval: [0, 1] },
  attacks: [
    stage('apgd-ce', '0101101-', 4 / 8, { pixels: { min: 0.125, max: 0.5 } }),
    stage('apgd-t', '-1-11-1-', 4 / 8),
    stage('fab-t', '-1-11-1-', 4 / 8),
    stage('square', '-1-11-0-', 3 / 8, { linf: { max: 0.02, mean: 0.02 }, pixels: { min: 0.2, max: 0.75 } }),
    stage('my-own', '-1-01-1-', 3 / 8, { ensemble: undefined, pixels: { min: 0, max: 1 } }),
  ],
  worst: { accuracy: 2 / 8 },
  findings: [] as EvaluationResult['findings'],
} as unknown as EvaluationResult;
/** Each image is of one byte: 0, 1 (of 255) and 255 are broken, the others stand. */
const images: ImageSet = {
  images: Uint8Array.of(0, 51, 255, 102, 102, 1, 254, 204),
  labels: new Int32Array(8),
  shape: [1, 1, 1],
};
const of = { model: { use: 'wide-resnet', depth: 34, width: 10 }, data: 'cifar10' };
const specs = [{ use: 'autoattack', version: 'standard' }];
const paper = { name: 'A paper', authors: 'A. Author', link: 'https://arxiv.org/abs/0', venue: 'ICLR 2023' };

describe('an entry of RobustBench', () => {
  it("has the fields of its files, and AutoAttack's figure whatever else was run", () => {
    expect(robustBenchEntry(result, { ...of, paper })).toEqual({
      link: 'https://arxiv.org/abs/0',
      name: 'A paper',
      authors: 'A. Author',
      additional_data: false,
      number_forward_passes: 1,
      dataset: 'cifar10',
      venue: 'ICLR 2023',
      architecture: 'WideResNet-34-10',
      eps: '8/255',
      clean_acc: '87.50',
      reported: '37.50',
      autoattack_acc: '37.50',
      unreliable: false,
    });
    const finding = { id: 'square-better', what: '', meaning: '', hint: '' };
    expect(robustBenchEntry({ ...result, findings: [finding] }, of).unreliable).toBe(true);
    expect(robustBenchEntry({ ...result, repeats: 20 }, of).number_forward_passes).toBe(20);
  });
  it('writes every published radius as it is published', () => {
    const number = (text: string) =>
      text
        .split('/')
        .map(Number)
        .reduce((a, b) => a / b);
    for (const { eps } of zooEntries()) expect(radiusText(number(eps))).toBe(eps);
    expect([radiusText(Math.fround(8 / 255)), radiusText(0), radiusText(0.03)]).toEqual(['8/255', '0', '0.03']);
  });
  it('is refused without the whole of AutoAttack standard', () => {
    const quick = { ...result, attacks: result.attacks.slice(4) };
    expect(() => robustBenchEntry(quick, of)).toThrow('this result has not run it');
    const begun = { ...result, attacks: [stage('apgd-ce', '0.......', 1, { done: false })] };
    expect(() => robustBenchEntry(begun, of)).toThrow('this result has not finished it');
  });
});

describe("AutoAttack's log", () => {
  it('has the lines of the official code', () => {
    expect(autoAttackLog(result, { batchSize: 5, images })).toEqual([
      'setting parameters for standard version',
      'using standard version including apgd-ce, apgd-t, fab-t, square',
      'initial accuracy: 87.50%',
      'apgd-ce - 1/2 - 2 out of 5 successfully perturbed',
      'apgd-ce - 2/2 - 1 out of 2 successfully perturbed',
      'robust accuracy after APGD-CE: 50.00% (total time 1.3 s)',
      'apgd-t - 1/1 - 0 out of 4 successfully perturbed',
      'robust accuracy after APGD-T: 50.00% (total time 2.5 s)',
      'fab-t - 1/1 - 0 out of 4 successfully perturbed',
      'robust accuracy after FAB-T: 50.00% (total time 3.8 s)',
      'square - 1/1 - 1 out of 4 successfully perturbed',
      'robust accuracy after SQUARE: 37.50% (total time 5.0 s)',
      'max Linf perturbation: 0.03137, nan in tensor: 0, max: 0.80000, min: 0.12500',
      'robust accuracy: 37.50%',
    ]);
  });
  const last = (of: EvaluationResult) =>
    autoAttackLog(of, { batchSize: 5, images }).find((line) => line.startsWith('max'));
  it.each([
    ['linf', 'max Linf perturbation: 0.03137'],
    ['l2', 'max L2 perturbation: 0.50000'],
    ['l1', 'max L1 perturbation: 3.25000'],
  ] as const)('measures the largest perturbation in %s', (norm, expected) => {
    expect(last({ ...result, threat: { norm, epsilon: 1 } })!.split(',')[0]).toBe(expected);
  });
  it('has the images themselves where nothing was broken, or nothing was left to break', () => {
    const zero = { max: 0, mean: 0 };
    const idle = { linf: zero, l2: zero, l1: zero, seconds: 0 };
    const none = {
      ...result,
      threat: { norm: 'l1' as const, epsilon: 12 },
      attacks: [stage('apgd-ce', '1111111-', 7 / 8, idle), stage('square', '--------', 7 / 8, idle)],
    };
    const log = autoAttackLog(none, { batchSize: 250, images });
    expect(log.join()).not.toMatch(/SQUARE/);
    expect(log).toContain('max L1 perturbation: 0.00000, nan in tensor: 0, max: 1.00000, min: 0.00000');
  });
  it('has no figure that was not measured, and tells what the last stage doubts after it', () => {
    const { l1: _l1, ...before } = result.attacks[0]!;
    const found = { id: 'square-better', what: 'square left less', meaning: '', hint: '' };
    const old = { ...result, attacks: [before, ...result.attacks.slice(1)], findings: [found] };
    expect(last(old)).toBeUndefined();
    expect(autoAttackLog(old, { batchSize: 5, images }).slice(-2)).toEqual([
      'Warning: square-better: square left less',
      'robust accuracy: 37.50%',
    ]);
  });
});

describe('the file of a claim', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-claim-'));
  it('keeps what was written into it by hand, and says what is missing', () => {
    const file = join(folder, 'claim.json');
    const gaps = claimFile(file, specs).write(result, { ...of, batchSize: 5, images });
    expect(gaps).toEqual([
      'it was measured on 8 images instead of 10000',
      'name, authors, link are empty: write them into the file, they are kept',
    ]);
    const read = () => JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify({ ...read(), ...paper, additional_data: true }));
    const better = {
      ...result,
      attacks: [stage('apgd-ce', '1111111-', 7 / 8)],
      data: { ...result.data, count: 10000 },
    };
    expect(claimFile(file, specs).write(better, { ...of, batchSize: 5, images })).toEqual([]);
    expect(read()).toMatchObject({ ...paper, additional_data: true, autoattack_acc: '87.50', reported: '87.50' });
    expect(readFileSync(join(folder, 'claim.log'), 'utf8')).toMatch(/robust accuracy: 87\.50%\n$/);
    const adopted = { ...better, attacks: [stage('apgd-ce', '1110111-', 6 / 8, { reused: 1 })] };
    expect(claimFile(file, specs).write(adopted, { ...of, batchSize: 5, images })).toEqual([
      'images that count as broken were broken within a smaller radius of a curve: add --fresh',
    ]);
    writeFileSync(file, JSON.stringify({ ...read(), reported: '53.1' }));
    claimFile(file, specs).write(result, { ...of, batchSize: 5, images });
    expect(read()).toMatchObject({ reported: '53.1', autoattack_acc: '37.50' });
  });
  it('is refused before anything is measured where it will not do', () => {
    const attack = autoAttack({ version: 'standard', queries: 5000 }, 'linf');
    expect(() => checkStandard([attack], 3)).toThrow('a model of 3 classes has too few');
    expect(checkStandard([attack], 4)).toBeUndefined();
    const other = join(folder, 'other.json');
    writeFileSync(other, '{"format":"bulwark-evaluation"}');
    expect(() => claimFile(other, specs)).toThrow('holds something else');
    writeFileSync(other, 'no json');
    expect(() => claimFile(other, specs)).toThrow('holds no JSON');
    expect(() => claimFile(join(folder, 'a.txt'), specs)).toThrow('.json file');
    expect(() => claimFile(join(folder, 'a.json'), [{ use: 'pgd' }])).toThrow('needs the standard version');
    expect(() => claimFile(join(folder, 'a.json'), [{ use: 'autoattack', version: 'plus' }])).toThrow(
      'needs the standard',
    );
    expect(() => claimFile(join(folder, 'a.json'), [{ use: 'autoattack', queries: 9 }])).toThrow('needs the standard');
  });
});
