import { createRandom, type AnglePixels, type StepAngles } from '@bulwark/core';
import { craftedPairs, perturbationAngles, searchPairs } from '@bulwark/core/analysis';
import { checkSpec, threatOf } from '@bulwark/core/run';
import { bandChart, type Band } from '../report/chart/bands.js';
import type { RunRecord } from '../report/read-run.js';
import { runLooks } from '../report/sections/curves.js';
import type { Output } from '../terminal/output.js';
import { pixelFlag, whole, type ModelFlags } from './flags.js';
import { withModels, type AnalysedModel } from './models.js';
import type { Figure } from './write-figure.js';

export interface AngleFlags extends ModelFlags {
  readonly pair: 'squeeze' | 'cross-entropy';
  readonly pixels: AnglePixels;
  readonly steps: string;
  readonly stepSize?: string;
}

/** Quantiles of the numbers there are, by linear interpolation between neighbours in order. */
export function quantiles(values: ArrayLike<number>, shares: readonly number[]): number[] {
  const sorted = Array.from(values)
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  return shares.map((share) => {
    const at = share * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
    return low === undefined ? Number.NaN : low + (high! - low) * (at - Math.floor(at));
  });
}

const band = (series: string, { step, degrees }: StepAngles): Band => {
  const [low, quarter, median, threeQuarters, high] = quantiles(degrees, [0.05, 0.25, 0.5, 0.75, 0.95]) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { series, x: step, low, quarter, median, threeQuarters, high };
};

export function anglesFigure(
  results: readonly { run: Pick<RunRecord, 'label' | 'method'>; steps: readonly StepAngles[] }[],
  settings: { pair: string; pixels: AnglePixels; images: number },
): Figure {
  const bands = results.flatMap(({ run, steps }) => steps.map((step) => band(run.label, step)));
  const counted = settings.pixels === 'interior' ? 'pixels away from 0 and 1' : 'all pixels';
  return {
    rows: bands.map(({ series, x, low, quarter, median, threeQuarters, high }) => ({
      run: series,
      step: x,
      'angle 5 % (degrees)': low,
      '25 %': quarter,
      median,
      '75 %': threeQuarters,
      '95 %': high,
    })),
    data: {
      settings,
      runs: results.map(({ run: { label, method }, steps }) => ({
        run: label,
        method,
        steps: steps.map(({ step, degrees }) => ({
          step,
          degrees: [...degrees].map((angle) => Number(angle.toFixed(3))),
        })),
      })),
    },
    chart: bandChart({
      title: 'Angle between adversarial and collaborative perturbation',
      subtitle: `${settings.pair} pair, ${counted}, ${settings.images} images: median, quarters, 5 to 95 %`,
      x: { title: 'steps made', whole: true, domain: [0.5, Math.max(...bands.map(({ x }) => x)) + 0.5] },
      y: { title: 'angle (degrees)', domain: [0, 180], values: [0, 45, 90, 135, 180] },
      bands,
      looks: runLooks(results.map(({ run }) => run)),
      width: 560,
      height: 340,
    }),
  };
}

/** Where the pairs come from: Squeeze Training's own loop, or two separate searches on cross-entropy. */
function pairsOf({ target, set, seed }: AnalysedModel, flags: AngleFlags) {
  const { model, config, services, registry } = target;
  const threat = threatOf(config);
  const steps = whole('steps', flags.steps);
  const stepSize =
    flags.stepSize === undefined
      ? threat.epsilon / 4
      : pixelFlag('step-size', flags.stepSize, { norm: threat.norm.name, shape: set.shape });
  if (flags.pair === 'cross-entropy') return searchPairs({ model, threat, steps, stepSize });
  const spec = checkSpec(registry, 'inner-optimizer', { use: 'squeeze', steps, stepSize }, ['inner']);
  const inner = services.make('inner-optimizer', spec);
  const context = { model, threat, epoch: 0, epochs: 1 };
  return craftedPairs(inner, context, (from) => createRandom(seed, `angles/${from}`));
}

/** Figure 7 of Li et al., 2023 (arXiv:2205.11156). */
export async function analyseAngles(paths: readonly string[], flags: AngleFlags, output: Output): Promise<Figure> {
  const results = await withModels(paths, { flags, output }, async (analysed) => {
    const { run, target, set, batchSize, progress, signal } = analysed;
    const { epsilon } = target.config.threat;
    const options = { pairs: pairsOf(analysed, flags), pixels: flags.pixels, epsilon, batchSize, progress, signal };
    return { run, steps: await perturbationAngles(set, options) };
  });
  return anglesFigure(results, { pair: flags.pair, pixels: flags.pixels, images: whole('images', flags.images) });
}
