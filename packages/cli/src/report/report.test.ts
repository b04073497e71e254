import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { evaluate, startRun } from '@bulwark/core';
import { evaluateCorruptions, saveCorruptions, saveEvaluation } from '@bulwark/core/evaluation';
import { program } from '../program.js';
import { builtinRegistry } from '../registry.js';
import { withPatience } from '../testing.js';
import { temporaryFolder } from '../train/testing.js';
import { accuracyRows } from './accuracy.js';
import { readRun, readRuns } from './read-run.js';

const config = (name: string, objective: object) => ({
  name,
  engine: 'wasm',
  data: { use: 'fashion-mnist-mini', batchSize: 32, limit: { train: 64, test: 40 }, validation: 20 },
  model: { use: 'small-cnn', width: 2 },
  threat: { epsilon: 0.1 },
  objective,
  epochs: 2,
  evaluation: { attacks: ['fgsm'] },
});

/** Trains a run and evaluates it on the test images, with a finding that has to be escaped. */
async function finished(folder: string, name: string, objective: object): Promise<string> {
  const path = join(folder, name);
  const registry = builtinRegistry();
  const run = await startRun(config(name, objective), { registry, baseFolder: folder, folder: () => path });
  await run.train();
  const { model, data, threat } = run.parts;
  const attack = run.services.make('attack', { use: 'pgd', steps: 3 });
  const result = await evaluate({
    model,
    data: data.test,
    attacks: [attack],
    threat,
    batchSize: 40,
    seed: 0,
    tier: 'custom',
  });
  const findings = [{ id: 'pgd-gap', what: 'left <b>1 & 2</b>', meaning: 'meaning', hint: 'hint' }];
  await saveEvaluation(join(path, 'evaluation', 'best', 'custom.json'), { ...result, findings });
  const each = Math.floor(data.test.labels.length / 4);
  const groups = ['fog', 'snow'].flatMap((weather, c) =>
    [1, 2].map((level) => ({ name: weather, level, from: (2 * c + level - 1) * each, to: (2 * c + level) * each })),
  );
  const corrupted = { name: 'weather', test: data.test, groups };
  saveCorruptions(
    join(path, 'corruptions', 'best', 'weather.json'),
    await evaluateCorruptions({ model, data: corrupted, images: 10 }),
  );
  run.dispose();
  return path;
}

const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

/** Put into a copy of the report: measures it once it is laid out, at a desktop's and at a phone's width. */
const probe = `<script>
addEventListener('error', (event) => console.error(event.message));
addEventListener('load', () => {
  const charts = [...document.querySelectorAll('figure svg')];
  const drawn = charts.filter((chart) => chart.getBoundingClientRect().width > 200
    && [...chart.querySelectorAll('.mark-line path, .mark-symbol path, .mark-rect path')].some((mark) => mark.getBBox().width > 0));
  const images = [...document.images].filter((image) => image.naturalWidth > 0);
  document.body.style.width = '360px';
  const wide = charts.filter((chart) => chart.getBoundingClientRect().right > document.body.getBoundingClientRect().right).length;
  document.documentElement.dataset.probe = JSON.stringify({ charts: charts.length, drawn: drawn.length, images: images.length,
    wide, scroll: document.body.scrollWidth });
});
</script>`;

/** The page's own policy would not let the probe run. */
const probed = (page: string) => page.replace(/<meta http-equiv[^>]*>/, '').replace('</head>', `${probe}</head>`);

/** What a headless browser makes of the page. */
async function inBrowser(file: string) {
  const copy = file.replace('.html', '.probe.html');
  writeFileSync(copy, probed(readFileSync(file, 'utf8')));
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--enable-logging=stderr',
    '--virtual-time-budget=5000',
  ];
  const { stdout, stderr } = await promisify(execFile)(chromium!, [...flags, '--dump-dom', `file://${copy}`], {
    maxBuffer: 64 * 2 ** 20,
    timeout: withPatience(50) * 1000,
  });
  const found = /data-probe="([^"]*)"/.exec(stdout)?.[1]?.replaceAll('&quot;', '"');
  return {
    console: stderr.split('\n').filter((line) => line.includes(':CONSOLE')),
    seen: JSON.parse(found ?? '{}') as Record<'charts' | 'drawn' | 'images' | 'wide' | 'scroll', number>,
  };
}

describe('bulwark report', () => {
  const folder = temporaryFolder();
  let st: string;

  beforeAll(async () => {
    st = await finished(folder, 'st', { use: 'st', inner: { steps: 2, stepSize: 0.05 } });
    await finished(folder, 'natural', { use: 'natural' });
  });

  const report = async (...args: string[]) => {
    const file = join(folder, `report-${args.length}.html`);
    const silent = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    try {
      await program().parseAsync(['report', ...args, '--out', file], { from: 'user' });
    } finally {
      silent.mockRestore();
    }
    return { file, page: readFileSync(file, 'utf8') };
  };

  it('is one file that asks the network for nothing', async () => {
    const { page } = await report(st);
    expect(page).toContain('content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;; img-src data:;');
    expect(page).not.toMatch(/(src|href)="(?!data:|#)|<script|@import|url\((?!#)/);
    expect(page.match(/src="data:image\/png/g)).toHaveLength(6 * 5);
  });

  it('names method, tier, images and intervals, and shows the trust findings as text', async () => {
    const { page } = await report(st);
    const text = page.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
    expect(text).toContain('method st on fashion-mnist-mini, model small-cnn');
    expect(text).toMatch(/best custom 40 [\d.]+ \([\d.]+ to [\d.]+\) [\d.]+ \([\d.]+ to [\d.]+\) pgd-3/);
    expect(page).toContain('left &lt;b&gt;1 &amp; 2&lt;/b&gt;');
    expect(text).toContain('Ankle boot');
  });

  it('gives the numbers that were measured, with their intervals', async () => {
    const run = await readRun(st, () => undefined);
    const [evaluated, own] = accuracyRows(run);
    const { result } = run.evaluations[0]!;
    expect(evaluated!.robust).toEqual({ share: result.worst.accuracy, interval: result.worst.interval });
    expect(own!.clean.share).toBe(run.summary!.last.accuracy!['clean']);
    const [low, high] = own!.clean.interval;
    expect(low).toBeLessThan(own!.clean.share);
    expect(high).toBeGreaterThan(own!.clean.share);
  });

  it.each([
    [{ clean: 0.5, fgsm: 0.2, 'fgsm@l2': 0.3 }, 'linf 25.5/255', 'fgsm'],
    [{ clean: 0.5, fgsm: 0.4, 'fgsm@l2': 0.3 }, 'l2 0.5', 'fgsm'],
    [{ clean: 0.5, fgsm: 0.4, 'fgsm@l2': 0.3, union: 0.25 }, 'union of linf 25.5/255, l2 0.5', 'union'],
  ])("says within what a run's own lowest figure is: %j", async (accuracy, threat, attack) => {
    const run = await readRun(st, () => undefined);
    const evaluation = { ...run.config.evaluation, threats: [{ norm: 'l2' as const, epsilon: 0.5 }] };
    const summary = { ...run.summary!, best: undefined, last: { ...run.summary!.last, accuracy } };
    const own = accuracyRows({ ...run, config: { ...run.config, evaluation }, summary }).at(-1);
    expect(own).toMatchObject({ tier: 'own test', threat, attacks: [attack] });
  });

  it('has the accuracy under corruptions: by severity for one run, side by side for several', async () => {
    const text = (page: string) => page.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
    const alone = text((await report(st)).page);
    expect(alone).toMatch(/weather, best checkpoint: [\d.]+ %/);
    expect(alone).toMatch(
      /fog [\d.]+ [\d.]+ [\d.]+ snow [\d.]+ [\d.]+ [\d.]+ Accuracy without an adversary on 40 images/,
    );
    const both = text((await report(st, join(folder, 'natural'))).page);
    expect(both).toMatch(/fog [\d.]+ [\d.]+ snow [\d.]+ [\d.]+ mean [\d.]+ [\d.]+/);
    expect(both.match(/Common corruptions/g)).toHaveLength(1);
  });

  it('tells runs of one name apart', async () => {
    const runs = await readRuns([folder, st], () => undefined);
    expect(runs.map(({ label }) => label).sort()).toEqual(['natural', 'st']);
  });

  it('answers each question once for all runs, with norm, radius and number of images, and names runs without numbers', async () => {
    const { page } = await report(st, join(folder, 'natural'));
    const captions = [...page.matchAll(/<figcaption>([^<]*)(?:<small>([^<]*))?/g)].map(
      ([, caption, note = '']) => `${caption}: ${note}`,
    );
    expect(captions).toHaveLength(5);
    expect(captions[1]).toMatch(/^Accuracy under fgsm, linf 25\.5\/255: all validation images/);
    expect(captions[2]).toMatch(/own attack, linf 25\.5\/255: .*Without these numbers: natural\./);
    expect(captions[4]).toMatch(/^Robust accuracy by class: pgd-3, linf 25\.5\/255, tier custom, 40 images/);
  });

  it('says what an argument that is no run is', async () => {
    await expect(report(join(folder, 'nothing'))).rejects.toThrow('is not a run folder');
  });

  (chromium ? it : it.skip)(
    'draws all its charts in a browser without a word on the console, also as wide as a phone',
    async () => {
      const { file } = await report(st, join(folder, 'natural'));
      const { console, seen } = await inBrowser(file);
      expect(console).toEqual([]);
      // clean, fgsm, own attack, loss, classes: one for each question, however many runs
      expect(seen.charts).toBe(5);
      expect(seen.drawn).toBe(seen.charts);
      expect(seen.images).toBe(2 * 6 * 5);
      expect(seen.wide).toBe(0);
      expect(seen.scroll).toBeLessThanOrEqual(360);
    },
  );
});
