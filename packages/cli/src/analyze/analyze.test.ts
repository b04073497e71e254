import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { startRun } from '@bulwark/core';
import { PNG } from 'pngjs';
import { program } from '../program.js';
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
    expect(data.measured).toBe('tier own test, fgsm, 40 images');
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
