import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { startRun } from '@bulwark/core';
import { PNG } from 'pngjs';
import { program } from '../program.js';
import { accuracyRows } from '../report/accuracy.js';
import { readRun } from '../report/read-run.js';
import { builtinRegistry } from '../registry.js';
import { temporaryFolder } from '../train/testing.js';
import { quantiles } from './angles.js';

const folder = temporaryFolder();

const config = (name: string, objective: object) => ({
  name,
  engine: 'wasm',
  data: { use: 'fashion-mnist-mini', batchSize: 32, limit: { train: 320, test: 40 }, validation: 20 },
  model: { use: 'small-cnn', width: 4 },
  threat: { epsilon: 0.1 },
  objective,
  epochs: 2,
  evaluation: { attacks: ['fgsm'] },
});

async function train(name: string, objective: object): Promise<void> {
  const services = { registry: builtinRegistry(), baseFolder: folder, folder: () => join(folder, name) };
  const run = await startRun(config(name, objective), services);
  await run.train();
  run.dispose();
}

const inner = { steps: 2, stepSize: 0.05 };

/** Runs an analysis and reads what it wrote. */
async function analyze<T>(figure: string, runs: readonly string[], ...flags: string[]) {
  const out = join(folder, 'figures', `${figure}${flags.join('').replace(/\W/g, '')}`);
  const silent = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    const paths = runs.map((run) => join(folder, run));
    await program().parseAsync(['analyze', figure, ...paths, '--out', out, ...flags], { from: 'user' });
  } finally {
    silent.mockRestore();
  }
  const [head, ...lines] = readFileSync(`${out}.csv`, 'utf8').trim().split('\n');
  const svg = readFileSync(`${out}.svg`, 'utf8');
  return {
    out,
    head: head!,
    lines,
    svg,
    data: JSON.parse(readFileSync(`${out}.json`, 'utf8')) as T,
    png: PNG.sync.read(readFileSync(`${out}.png`)),
  };
}

/** Neither empty nor cut: something is drawn, and the rim is white. */
function expectPicture(png: PNG): void {
  const white = (x: number, y: number) => [0, 1, 2].every((k) => png.data[4 * (y * png.width + x) + k] === 255);
  const rim = [0, 1, png.height - 1].flatMap((y) => Array.from({ length: png.width }, (_, x) => white(x, y)));
  const sides = [0, 1, png.width - 1].flatMap((x) => Array.from({ length: png.height }, (_, y) => white(x, y)));
  expect(rim.every(Boolean) && sides.every(Boolean)).toBe(true);
  const ink = Array.from({ length: png.height }, (_, y) => y).filter((y) => !white(Math.floor(png.width / 3), y));
  expect(ink.length).toBeGreaterThan(20);
}

const svgTexts = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]+)<\/text>/g)].map(([, text]) => text);

describe('bulwark analyze', () => {
  beforeAll(async () => {
    await train('natural', { use: 'natural' });
    await train('st', { use: 'st', inner });
    await train('trades-1', { use: 'trades', beta: 1, inner });
    await train('trades-6', { use: 'trades', beta: 6, inner });
  });

  it('collaborative: the loss of collaborative examples lies below the benign loss for every epsilon', async () => {
    type Data = { runs: { run: string; losses: { epsilon: number; crossEntropy: number }[] }[] };
    const flags = ['--steps', '20', '--step-size', '2/255', '--images', '40'];
    const { data, lines, svg, png, out } = await analyze<Data>('collaborative', ['natural', 'st'], ...flags);
    expect(data.runs.map(({ run }) => run)).toEqual(['natural', 'st']);
    for (const { losses } of data.runs) {
      const [benign, ...collaborative] = losses;
      expect(collaborative.map(({ epsilon }) => Math.round(255 * epsilon))).toEqual([4, 8, 16, 32]);
      for (const { crossEntropy } of collaborative) expect(crossEntropy).toBeLessThan(benign!.crossEntropy);
    }
    expect(lines).toHaveLength(2 * 5);
    expect(svgTexts(svg)).toEqual(expect.arrayContaining(['epsilon (1/255)', 'average cross-entropy (nats)']));
    expectPicture(png);
    expect(existsSync(`${out}.images.png`)).toBe(true);
  });

  it.each([['cross-entropy'], ['squeeze']])(
    'angles: opposite after the first step of a %s pair, never above 180',
    async (pair) => {
      type Data = { runs: { steps: { step: number; degrees: number[] }[] }[] };
      const flags = ['--pair', pair, '--pixels', 'interior', '--images', '20', '--steps', '4'];
      const { data, png, svg } = await analyze<Data>('angles', ['st'], ...flags);
      const { steps } = data.runs[0]!;
      expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
      const median = ({ degrees }: { degrees: number[] }) => quantiles(degrees, [0.5])[0]!;
      // a squeeze pair begins from two noisy points, so that pixels whose gradient hardly is one may agree
      expect(median(steps[0]!)).toBeGreaterThan(pair === 'squeeze' ? 120 : 179.5);
      for (const { degrees } of steps) for (const angle of degrees) expect(angle).toBeLessThanOrEqual(180);
      expect(svgTexts(svg)).toContain('angle (degrees)');
      expectPicture(png);
    },
  );

  it('landscape: the loss falls along the collaborative perturbation and rises against it', async () => {
    type Data = { runs: { at: number[]; loss: number[][] }[] };
    const { data, png, svg } = await analyze<Data>('landscape', ['st'], '--images', '10', '--resolution', '5');
    const { at, loss } = data.runs[0]!;
    expect(at[2]).toBeCloseTo(0, 12);
    expect(loss[2]![3]).toBeLessThan(loss[2]![2]!);
    expect(loss[2]![1]).toBeGreaterThan(loss[2]![2]!);
    expect(svgTexts(svg)).toContain('cross-entropy (nats)');
    expectPicture(png);
  });

  it('trade-off: one point per method, discrepancy and beta, with the accuracies that were measured', async () => {
    type Data = { measured: string; settings: { series: string; beta?: number; clean: number; robust: number }[] };
    const { data, png, head } = await analyze<Data>('trade-off', ['trades-6', 'trades-1', 'st']);
    expect(data.measured).toBe('tier own test, fgsm, linf 25.5/255, 40 images');
    expect(data.settings.map(({ series, beta }) => `${series} ${beta}`)).toEqual([
      'trades, kl 1',
      'trades, kl 6',
      'st, symmetric-kl 6',
    ]);
    const summary = JSON.parse(readFileSync(join(folder, 'trades-1', 'summary.json'), 'utf8'));
    expect(data.settings[0]).toMatchObject({
      clean: summary.best.accuracy.clean,
      robust: summary.best.accuracy.fgsm,
    });
    expect(head).toContain('beta');
    expectPicture(png);
  });

  it('curves and diagnostics: what metrics.jsonl says, epoch by epoch', async () => {
    const curves = await analyze<{ runs: unknown[] }>('curves', ['natural', 'st']);
    expect(curves.lines).toHaveLength(4);
    const last = readFileSync(join(folder, 'st', 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .at(-1)!;
    const { validation } = JSON.parse(last);
    expect(curves.lines.at(-1)).toBe(`st,st,2,${validation.clean},${validation.fgsm}`);
    expect(svgTexts(curves.svg)).toEqual(
      expect.arrayContaining(['clean accuracy (%)', 'accuracy under fgsm (%)', 'epoch']),
    );
    expectPicture(curves.png);
    const diagnostics = await analyze('diagnostics', ['st']);
    expect(diagnostics.head).toContain('collaborative.crossEntropy');
    expectPicture(diagnostics.png);
  });

  describe('radius', () => {
    type Curve = { run: string; norm: string; protocol: string; points: { epsilon: number; accuracy: number }[] };
    const evaluate = async (...flags: string[]) => {
      const silent = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
      const words = ['evaluate', join(folder, 'trades-1'), ...flags, '--no-probes', '--json'];
      try {
        await program().parseAsync(words, { from: 'user' });
        return JSON.parse(String(silent.mock.calls.at(-1)![0])) as Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any
      } finally {
        silent.mockRestore();
      }
    };

    it('is measured in one run, never rises, and is drawn with norm, attacks and images', async () => {
      await expect(analyze('radius', ['trades-1'])).rejects.toThrow(/evaluated within several radii/);
      const attacks = ['--attacks', 'pgd:steps=3', 'fmn:steps=10'];
      const found = await evaluate('--epsilons', '0.1,0,0.02,0.3', ...attacks);
      const shares = found['curve'].map(({ accuracy }: { accuracy: number }) => accuracy) as number[];
      expect(found['curve'].map(({ epsilon }: { epsilon: number }) => epsilon)).toEqual([0, 0.02, 0.1, 0.3]);
      expect(shares).toEqual(shares.toSorted((a, b) => b - a));
      expect(shares[3]).toBeLessThan(shares[0]!);
      const results = found['files'].map((file: string) => JSON.parse(readFileSync(file, 'utf8')));
      const fmn = results.map((result: { attacks: Record<string, unknown>[] }) => result.attacks[1]!);
      expect(fmn.map(({ attacked }: { attacked: number }) => attacked)).toEqual([fmn[0].attacked, 0, 0]);
      const { data, svg, png, lines } = await analyze<{ curves: Curve[] }>('radius', ['trades-1']);
      expect(data.curves).toMatchObject([{ run: 'trades-1', norm: 'linf' }]);
      expect(data.curves[0]!.points.map(({ accuracy }) => accuracy)).toEqual(shares);
      expect(data.curves[0]!.protocol).toBe('pgd-3, fmn-10; tier custom, best checkpoint, 40 images');
      expect(lines).toHaveLength(4);
      expect(svgTexts(svg)).toContain('radius, linf (of 255)');
      expectPicture(png);
    });

    it('has rows of each norm and of their union in the report, with their radii', async () => {
      const found = await evaluate('--threats', 'linf:0.1', 'l2:1,l1:3', '--attacks', 'fmn:steps=10');
      const all = [...found['threats'].map(({ flags }: { flags: string }) => flags), found['clean']].filter(Boolean);
      const union = [...all[0]].map((_, i) => Number(all.every((flags: string) => flags[i] === '1'))).join('');
      expect(found['union'].flags).toBe(union);
      expect(found['threats'].map(({ norm }: { norm: string }) => norm)).toEqual(['linf', 'l2', 'l1']);
      const rows = accuracyRows(await readRun(join(folder, 'trades-1'), (text) => expect(text).toBe('')));
      expect(rows[0]!.threat).toBe('linf 25.5/255');
      const texts = rows.map(({ threat, robust }) => `${threat}: ${robust.share}`);
      expect(texts).toContain(`union of linf 25.5/255, l2 1, l1 3: ${found['union'].accuracy}`);
      expect(texts).toContain(`l1 3: ${found['threats'][2].accuracy}`);
    });

    it.each([
      [['--epsilons', '0'], /no radius above 0/],
      [['--epsilons', '2/255,8'], /epsilon.* is 8: pixels are in \[0, 1\]/],
      [['--epsilons', '8,2/255'], /--epsilons is 8: pixels are in \[0, 1\]/],
      [['--epsilons', 'a,2/255'], /--epsilons is a/],
      [['--threats', 'linf'], /"linf" is not norm:radius/],
      [['--threats', 'l3:1'], /"l3:1" is not norm:radius/],
      [['--threats', 'l2:1', 'l2:2'], /names l2 twice/],
      [['--threats', 'linf:0.1', 'l2:1', '--attacks', 'ddn'], /ddn-100 is one in l2, not in linf/],
    ])('refuses %j before anything is attacked', async (flags, why) => {
      await expect(evaluate(...flags)).rejects.toThrow(why);
    });
  });

  it('gives a method the same colour in every picture', async () => {
    const colours = ['#d55e00', '#0072b2'];
    const { svg: curves } = await analyze('curves', ['st', 'trades-6']);
    const { svg: tradeOff } = await analyze('trade-off', ['trades-6', 'st']);
    for (const svg of [curves, tradeOff]) for (const colour of colours) expect(svg).toContain(colour);
  });

  it('says what is wrong with its arguments', async () => {
    await expect(analyze('collaborative', ['st'], '--epsilons', '4/255,x')).rejects.toThrow('--epsilons is x');
    await expect(analyze('angles', ['st'], '--images', '0')).rejects.toThrow('--images is 0');
    await expect(analyze('curves', ['nothing'])).rejects.toThrow('is not a run folder');
  });
});
