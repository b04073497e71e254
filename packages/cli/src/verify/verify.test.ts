import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { useEngine } from '@bulwark/core';
import { bundledCases, caseFiles, caseName, readCase } from './case-files.js';
import { reasons, reportTable, summary } from './report.js';
import { runCases } from './run-case.js';
import type { CaseResult } from './types.js';
import { verify } from './verify.js';

beforeAll(() => useEngine('wasm'));

type Json = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any

/** A linear layer for the first convolution's channels. */
const fcOf = ({ conv1, fc }: Json) => {
  const [channels, classes] = [conv1.kernel.shape[3] as number, fc.kernel.shape[1] as number];
  const data = Array.from({ length: channels * classes }, (_, i) => Math.sin(i));
  return { kernel: { shape: [channels, classes], data }, bias: new Array<number>(classes).fill(0) };
};

/** The first quarter of the rows of each image, as images of another shape. */
const quarter = ({ shape: [n, height, width, channels], data }: { shape: number[]; data: number[] }) => {
  const rows = height! / 4;
  const size = height! * width! * channels!;
  const kept = rows * width! * channels!;
  return { shape: [n, rows, width, channels], data: data.filter((_, i) => i % size < kept) };
};

const fixtures = fileURLToPath(new URL('../../fixtures/training', import.meta.url));

async function resultsOf(folder: string): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for await (const result of runCases(folder)) results.push(result);
  return results;
}

describe('verify', () => {
  it.each([
    ['that come with Bulwark', bundledCases],
    ['of further hyper-parameters', fixtures],
  ])('reproduces the cases %s', async (_, folder) => {
    const results = await resultsOf(folder);
    expect(reasons(results)).toEqual([]);
    // a file of weights only serves the attack cases
    const cases = caseFiles(folder).filter((file) => !/^toy_a_model\./.test(file));
    expect(results.map(({ name }) => name)).toEqual(cases.map(caseName));
  });

  it('runs the cases whose names have a text in them, and tells how far it is', async () => {
    const started: string[] = [];
    const selection = { only: 'unit-s', onStart: (...seen: unknown[]) => void started.push(seen.join(' ')) };
    const names: string[] = [];
    for await (const { name, seconds } of runCases(bundledCases, selection)) {
      names.push(name);
      expect(seconds).toBeGreaterThan(0);
    }
    expect(names).toEqual(['unit-schedules', 'unit-sgd']);
    expect(started).toEqual(['unit-schedules 1 2', 'unit-sgd 2 2']);
    await expect(runCases(bundledCases, { only: 'unit-none' }).next()).rejects.toThrow(/has "unit-none" in its name/);
  });

  it('is a function of the package, too', async () => {
    const seen: string[] = [];
    const report = await verify({
      engine: 'wasm',
      only: 'unit-sgd',
      onEngine: ({ name }) => void seen.push(name),
      onStart: (name) => void seen.push(name),
      onResult: ({ name, pass }) => void seen.push(`${name} ${pass}`),
    });
    expect(seen).toEqual(['wasm', 'unit-sgd', 'unit-sgd true']);
    expect(report).toMatchObject({ engine: { name: 'wasm' }, pass: true, summary: '1 cases: 1 passed, 0 failed' });
    await expect(verify({ engine: 'wasm', cases: '/nowhere' })).rejects.toThrow(/is not a folder/);
    await expect(verify({ engine: 'wsam' })).rejects.toThrow(/no engine is called "wsam"/);
  });

  describe('with cases of a user', () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'bulwark-verify-'));
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    const original = () => readCase(join(bundledCases, 'at-convbn-k3.json.gz')) as Json;
    const run = async (change: (json: Json) => void) => {
      const json = original();
      change(json);
      writeFileSync(join(folder, 'changed.json'), JSON.stringify(json));
      return resultsOf(folder);
    };

    it('passes a file that is not gzipped', async () => {
      expect(summary(await run(() => undefined))).toBe('1 cases: 1 passed, 0 failed');
    });

    it('fails a wrong number, and says where it stands', async () => {
      const results = await run((json) => (json['steps'][1].total += 0.01));
      expect(summary(results)).toBe('1 cases: 0 passed, 1 failed');
      expect(reasons(results)[0]).toMatch(/^changed: total: steps\[1\]\.total\[0\]: [\d.]+ instead of [\d.]+$/);
      expect(reportTable(results)).toMatch(/changed +total +1\.0e-2 .*FAIL/);
    });

    it.each<[string, (json: Json) => void, RegExp]>([
      ['a method', (json) => (json['method'] = 'FREE'), /method FREE is not known; known: AT, TRADES/],
      ['a hyper-parameter', (json) => (json['hyper'].dropout = 0.1), /hyper\.dropout cannot be run with AT/],
      ['a value', (json) => (json['hyper'].attackBn = 'frozen'), /objective\.inner\.mode is "frozen"/],
      ['a layer', (json) => json['net'].layers.push('softmax'), /"softmax", which is not a known layer/],
      ['a field', (json) => (json['extra'] = 1), /extra: a field that this version cannot check/],
      [
        'a field of a step',
        (json) => (json['steps'][0].hessian = 1),
        /hessian is a field that this version cannot check/,
      ],
      ['a schema', (json) => (json['schema'] = 'other/1'), /no documented case has this form/],
      ['missing weights', (json) => delete json['params0']['fc.bias'], /the field fc\.bias is missing/],
      ['missing noise', (json) => (json['steps'][1].noise = []), /draws uniform noise that the case does not record/],
      ['other noise', (json) => (json['hyper'].eps = 0.1), /draws from \[-0\.1, 0\.1\); recorded is/],
    ])('fails %s that it does not know, with the reason', async (_, change, reason) => {
      expect(reasons(await run(change)).join('\n')).toMatch(reason);
    });

    it('fails a file that is no JSON', async () => {
      writeFileSync(join(folder, 'broken.json'), '{');
      expect(reasons(await resultsOf(folder))[0]).toMatch(/^broken: -: not readable as JSON/);
    });

    it('finds the classifier that a case names in whatever files it is', async () => {
      const bundled = (name: string) => readCase(join(bundledCases, `${name}.json.gz`)) as Json;
      const write = (name: string, json: Json) => writeFileSync(join(folder, `${name}.json`), JSON.stringify(json));
      const rst = bundled('pgd_rst');
      const short = (classifier: string) => ({ ...rst, classifier, runs: rst['runs'].slice(0, 1) });
      // none in the folder: the one that comes with Bulwark
      write('of-bulwark', short('A'));
      expect(reasons(await resultsOf(folder))).toEqual([]);
      // another architecture, its images smaller, under names that say nothing
      const { arch, layers } = bundled('toy_a_model');
      const images = bundled('toy_a_images');
      write('weights', { name: 'B', arch: 'conv1-relu-global_average-fc', layers: { ...layers, fc: fcOf(layers) } });
      write('the-other', { name: 'A', arch, layers });
      write('seen', { name: 'A', images_uint8: images['images_uint8'], labels: images['labels'] });
      write('more', { name: 'B', images_uint8: quarter(images['images_uint8']), labels: images['labels'] });
      write('of-b', short('B'));
      write('of-c', short('C'));
      const found = reasons(await resultsOf(folder));
      expect(found.filter((line) => line.startsWith('of-bulwark'))).toEqual([]);
      // it runs on B, which is another model
      expect(found.find((line) => line.startsWith('of-b:'))).toMatch(/flags off: .* instead of 0/);
      expect(found.find((line) => line.startsWith('of-c:'))).toMatch(
        /classifier "C" is in no file .* with images: .*A/,
      );
    });

    it('refuses a folder without cases', async () => {
      await expect(resultsOf(folder)).rejects.toThrow(/there is no case in/);
      await expect(resultsOf(join(folder, 'nowhere'))).rejects.toThrow(/is not a folder/);
    });

    it.each([
      ['TRADES-dagger+AWP', { beta: 3, wp: 'awp', gamma: 0.01, outerPasses: ['nat', 'adv', 'adv2'], base: 'trades' }],
      ['MART+RWP', { beta: 6, wp: 'rwp', gamma: 0.01, cMin: 4, rwpSteps: 2, outerPasses: ['nat', 'adv'] }],
      ['TRADES', { beta: 2, reg: 'symkl', detachTarget: true, outerPasses: ['nat', 'adv'] }],
      ['ST', { beta: 2, reg: 'jsReversed', attackBn: 'eval', outerPasses: ['col', 'adv', 'nat'] }],
      ['COLLAB', { beta: 2, reg: 'l2', outerPasses: ['nat', 'col'] }],
      ['GAIR-RST', { beta: 2, lambda: 0, outerPasses: ['adv', 'cw', 'nat'] }],
      ['BAT', { beta: 2, bridges: 3, outerPasses: ['nat', 'bridge1', 'bridge2', 'bridge3'] }],
    ])('runs %s on a deeper network, with hyper-parameters never seen', async (method, hyper) => {
      const results = await run((json) => {
        json['method'] = method;
        Object.assign(json['hyper'], { K: 2, alpha: 0.004, momentum: 0.5 }, hyper);
        json['net'].layers.splice(6, 0, 'conv3 1x1 8->8 stride1 pad0(sym) +bias', 'bn3', 'relu');
        const tensor = (shape: number[], value: number) => {
          return { shape, data: Array<number>(shape.reduce((a, b) => a * b, 1)).fill(value) };
        };
        Object.assign(json['params0'], {
          'conv3.kernel': tensor([1, 1, 8, 8], 0.1),
          'conv3.bias': tensor([8], 0),
          'bn3.gamma': tensor([8], 1),
          'bn3.beta': tensor([8], 0.1),
        });
        Object.assign(json['bnState0'], {
          'bn3.movingMean': tensor([8], 0.1),
          'bn3.movingVariance': tensor([8], 1),
        });
        const [noise] = json['steps'][0].noise as Json[];
        const draws = ['AT', 'BAT'].includes(method)
          ? [noise]
          : [1, 2].map(() => ({ ...noise, dist: 'normal', scale: 0.01 }));
        const single = ['TRADES', 'MART+RWP', 'COLLAB'].includes(method);
        json['steps'] = [{ noise: single ? draws.slice(0, 1) : draws }];
        delete json['trace'];
      });
      expect(reasons(results)).toEqual([]);
    });
  });
});
