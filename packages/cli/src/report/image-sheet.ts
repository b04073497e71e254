import { PNG } from 'pngjs';
import * as tf from '@tensorflow/tfjs-core';
import {
  logitsOf,
  logSoftmax,
  takeExamples,
  type Classifier,
  type DataSource,
  type ImageSet,
  type ImageShape,
  type RunConfig,
} from '@bulwark/core';
import { neighbour } from '@bulwark/core/analysis';
import { threatOf } from '@bulwark/core/run';

/** One image as the network sees it. */
export interface SeenImage {
  /** A PNG as a data address. */
  readonly source: string;
  /** Class with the largest logit, and the probability of the true class in [0, 1]. Absent for perturbations. */
  readonly predicted?: number;
  readonly trueProbability?: number;
}

export interface SheetRow {
  readonly label: number;
  readonly images: Readonly<Record<SheetColumn, SeenImage>>;
}

export const sheetColumns = [
  'natural',
  'adversarial',
  'collaborative',
  'adversarial perturbation',
  'collaborative perturbation',
] as const;
export type SheetColumn = (typeof sheetColumns)[number];

/** How the neighbours of the sheet are made. */
export const sheetSearch = { steps: 20, stepShare: 1 / 8 } as const;

/** Pixels `[h, w, c]` in [0, 1] as a PNG in a data address. */
export function pngOf(pixels: ArrayLike<number>, [height, width, channels]: ImageShape): string {
  const png = new PNG({ width, height });
  for (let i = 0; i < height * width; i++) {
    for (let k = 0; k < 3; k++) {
      const value = pixels[i * channels + (channels === 3 ? k : 0)]!;
      png.data[4 * i + k] = Math.round(255 * Math.min(1, Math.max(0, value)));
    }
    png.data[4 * i + 3] = 255;
  }
  return `data:image/png;base64,${PNG.sync.write(png).toString('base64')}`;
}

/** The first image of each of the first `count` classes, classes in order. */
function onePerClass({ labels }: ImageSet, count: number): number[] {
  const classes = [...new Set(labels)].sort((a, b) => a - b);
  const found = classes.slice(0, count).map((label) => labels.indexOf(label));
  const rest = [...labels.keys()].filter((i) => !found.includes(i));
  return [...found, ...rest.slice(0, Math.max(0, Math.min(count, labels.length) - found.length))];
}

const verdicts = (model: Classifier, points: tf.Tensor4D) =>
  tf.tidy(() => {
    const logits = logitsOf(model, points);
    return { predicted: tf.argMax(logits, 1), probabilities: tf.exp(logSoftmax(logits)) };
  });

/** Images of the test set with their neighbours under this model, and the perturbations scaled so that epsilon is black or white. */
export async function imageSheet(
  { model, data, config }: { model: Classifier; data: DataSource; config: RunConfig },
  count: number,
): Promise<SheetRow[]> {
  const threat = threatOf(config);
  const batch = takeExamples(data.test, onePerClass(data.test, count));
  const search = { model, threat, steps: sheetSearch.steps, stepSize: threat.epsilon * sheetSearch.stepShare };
  const points = {
    natural: batch.images,
    adversarial: neighbour(batch, 'adversarial', search),
    collaborative: neighbour(batch, 'collaborative', search),
  };
  const size = data.shape[0] * data.shape[1] * data.shape[2];
  const labels = await batch.labels.data();
  const natural = await batch.images.data();
  const columns: Partial<Record<SheetColumn, SeenImage[]>> = {};
  for (const [role, tensor] of Object.entries(points)) {
    const { predicted, probabilities } = verdicts(model, tensor);
    const [pixels, classes, shares] = [await tensor.data(), await predicted.data(), await probabilities.data()];
    const part = (i: number) => pixels.slice(i * size, (i + 1) * size);
    columns[role as SheetColumn] = [...labels].map((label, i) => ({
      source: pngOf(part(i), data.shape),
      predicted: classes[i]!,
      trueProbability: shares[i * model.classes + label]!,
    }));
    if (role !== 'natural') {
      // the largest change of any pixel stands for epsilon in norms that do not bound single pixels
      const magnified = (i: number) => {
        const change = Float32Array.from(part(i), (value, j) => value - natural[i * size + j]!);
        const largest = threat.norm.perPixel ? threat.epsilon : Math.max(...change.map(Math.abs));
        return change.map((value) => 0.5 + value / (2 * Math.max(largest, 1e-9)));
      };
      columns[`${role} perturbation` as SheetColumn] = [...labels].map((_, i) => ({
        source: pngOf(magnified(i), data.shape),
      }));
    }
    tf.dispose([predicted, probabilities]);
  }
  tf.dispose([batch.labels, ...Object.values(points)]);
  return [...labels].map((label, i) => ({
    label,
    images: Object.fromEntries(sheetColumns.map((column) => [column, columns[column]![i]!])) as SheetRow['images'],
  }));
}
