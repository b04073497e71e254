import { logitsOf, disposeBatch, logSoftmax, norms, takeExamples, type CollaborativeLoss } from '@bulwark/core';
import { collaborativeLosses, neighbour } from '@bulwark/core/analysis';
import * as tf from '@tensorflow/tfjs-core';
import { lineChart } from '../report/chart/lines.js';
import { pngOf } from '../report/image-sheet.js';
import { runLooks } from '../report/sections/curves.js';
import type { RunRecord } from '../report/read-run.js';
import type { Output } from '../terminal/output.js';
import { pixelFlag, whole, type ModelFlags } from './flags.js';
import { imageGrid, type GridRow } from './image-grid.js';
import { withModels, type AnalysedModel } from './models.js';
import type { Figure } from './write-figure.js';

export interface CollaborativeFlags extends ModelFlags {
  readonly epsilons: string;
  readonly steps: string;
  readonly stepSize: string;
  readonly examples: string;
}

const in255 = (epsilon: number) => Number((epsilon * 255).toFixed(3));

interface Settings {
  readonly epsilons: readonly number[];
  readonly steps: number;
  readonly stepSize: number;
}

/** Example images: natural, collaborative at every radius, and the perturbation at the last one, magnified. */
async function exampleRows(
  { run, target: { model, data }, set }: AnalysedModel,
  { epsilons, steps, stepSize }: Settings,
  count: number,
): Promise<GridRow[]> {
  const batch = takeExamples(
    set,
    Int32Array.from({ length: Math.min(count, set.labels.length) }, (_, i) => i),
  );
  const size = data.shape[0] * data.shape[1] * data.shape[2];
  const labels = await batch.labels.data();
  const at: { epsilon: number; pixels: Float32Array; shares: Float32Array }[] = [];
  for (const epsilon of [0, ...epsilons]) {
    const search = { model, threat: { norm: norms.linf, epsilon }, steps: epsilon === 0 ? 0 : steps, stepSize };
    const point = neighbour(batch, 'collaborative', search);
    const probabilities = tf.tidy(() => tf.exp(logSoftmax(logitsOf(model, point))));
    at.push({
      epsilon,
      pixels: (await point.data()) as Float32Array,
      shares: (await probabilities.data()) as Float32Array,
    });
    tf.dispose([point, probabilities]);
  }
  disposeBatch(batch);
  const part = (values: Float32Array, i: number) => values.slice(i * size, (i + 1) * size);
  return [...labels].map((label, i) => {
    const natural = part(at[0]!.pixels, i);
    const { pixels, epsilon } = at.at(-1)!;
    const change = part(pixels, i).map((value, j) => 0.5 + (value - natural[j]!) / (2 * epsilon));
    const seen = at.map((each) => ({
      source: pngOf(part(each.pixels, i), data.shape),
      caption: `p = ${each.shares[i * model.classes + label]!.toFixed(2)}`,
    }));
    return {
      name: `${run.label}, ${data.classNames[label]}`,
      cells: [...seen, { source: pngOf(change, data.shape), caption: 'magnified' }],
    };
  });
}

export function collaborativeFigure(
  results: readonly { run: Pick<RunRecord, 'label' | 'method'>; losses: readonly CollaborativeLoss[] }[],
  settings: Settings & { images: number },
): Pick<Figure, 'rows' | 'data' | 'chart'> {
  const rows = results.flatMap(({ run, losses }) =>
    losses.map(({ epsilon, crossEntropy, accuracy }) => ({
      run: run.label,
      method: run.method,
      point: epsilon === 0 ? 'benign' : 'collaborative',
      'epsilon (1/255)': in255(epsilon),
      'cross-entropy (nats)': crossEntropy,
      accuracy,
    })),
  );
  const { steps, stepSize, images } = settings;
  return {
    rows,
    data: {
      settings,
      runs: results.map(({ run: { label, method }, losses }) => ({ run: label, method, losses })),
    },
    chart: lineChart({
      title: 'Collaborative examples by radius',
      subtitle: `0 is the benign images; ${steps} steps of ${in255(stepSize)}/255 down the cross-entropy, ${images} images`,
      x: {
        title: 'epsilon (1/255)',
        domain: [0, in255(Math.max(...settings.epsilons))],
        values: [0, ...settings.epsilons.map(in255)],
      },
      y: { title: 'average cross-entropy (nats)' },
      points: results.flatMap(({ run, losses }) =>
        losses.map(({ epsilon, crossEntropy }) => ({ series: run.label, x: in255(epsilon), y: crossEntropy })),
      ),
      looks: runLooks(results.map(({ run }) => run)),
      width: 520,
      height: 340,
    }),
  };
}

/** Figures 1, 2 and 11 of Li et al., 2023 (arXiv:2205.11156): the loss of collaborative examples, and what they look like. */
export async function analyseCollaborative(
  paths: readonly string[],
  flags: CollaborativeFlags,
  output: Output,
): Promise<Figure> {
  const epsilons = flags.epsilons.split(',').map((text) => pixelFlag('epsilons', text.trim(), { norm: 'linf' }));
  const settings = {
    epsilons: epsilons.toSorted((a, b) => a - b),
    steps: whole('steps', flags.steps),
    stepSize: pixelFlag('step-size', flags.stepSize, { norm: 'linf' }),
  };
  const count = whole('examples', flags.examples, 0);
  const results = await withModels(paths, { flags, output }, async (analysed) => {
    const { run, target, set, batchSize, progress, signal } = analysed;
    const options = { ...settings, norm: norms.linf, model: target.model, batchSize, progress, signal };
    const losses = await collaborativeLosses(set, options);
    return { run, losses, rows: count > 0 ? await exampleRows(analysed, settings, count) : [] };
  });
  const columns = ['natural', ...settings.epsilons.map((epsilon) => `${in255(epsilon)}/255`), 'perturbation'];
  const images = whole('images', flags.images);
  return {
    ...collaborativeFigure(results, { ...settings, images }),
    ...(count > 0 && {
      pictures: {
        images: imageGrid(
          columns,
          results.flatMap(({ rows }) => rows),
        ),
      },
    }),
  };
}
