import { countOf, imagesAt, imageSize, isLoaded, type DataSource, type ImageSet } from '@bulwark/core';

/** Facts about one split. */
export interface SplitFacts {
  readonly split: 'train' | 'validation' | 'test';
  readonly count: number;
  /** By class, in label order. */
  readonly perClass: readonly number[];
  readonly unlabelled: number;
  /** Of each channel, pixel values in [0, 1]. */
  readonly mean: readonly number[];
  /** Standard deviation of each channel over all its pixels. */
  readonly std: readonly number[];
}

/** Mean and deviation of a set that is read come from so many images, evenly spread: all of them could take an hour. */
const mostExamined = 50_000;

const examined = (set: ImageSet): Int32Array => {
  const count = isLoaded(set) ? countOf(set) : Math.min(mostExamined, countOf(set));
  return Int32Array.from({ length: count }, (_, i) => Math.floor((i * countOf(set)) / count));
};

function factsOf(split: SplitFacts['split'], set: ImageSet, classes: number): SplitFacts {
  const channels = set.shape[2];
  const perClass = new Array<number>(classes).fill(0);
  let unlabelled = 0;
  for (const label of set.labels)
    if (label < 0) unlabelled++;
    else perClass[label]!++;
  // a histogram is exact: sums of bytes would lose nothing either, but this needs one pass over memory
  const histograms = Array.from({ length: channels }, () => new Float64Array(256));
  const looked = examined(set);
  for (const index of looked) {
    const image = imagesAt(set, [index]);
    for (let i = 0; i < image.length; i += channels)
      for (let c = 0; c < channels; c++) histograms[c]![image[i + c]!]!++;
  }
  const pixels = (looked.length * imageSize(set)) / channels;
  const mean = histograms.map((h) => h.reduce((sum, n, value) => sum + n * value, 0) / pixels);
  const std = histograms.map((h, c) =>
    Math.sqrt(h.reduce((sum, n, value) => sum + n * (value - mean[c]!) ** 2, 0) / pixels),
  );
  return {
    split,
    count: countOf(set),
    perClass,
    unlabelled,
    mean: mean.map((value) => value / 255),
    std: std.map((value) => value / 255),
  };
}

/** Counts, mean and standard deviation of every split. */
export function describeData(source: DataSource): SplitFacts[] {
  const classes = source.classNames.length;
  return [
    ...(countOf(source.train) > 0 ? [factsOf('train', source.train, classes)] : []),
    ...(source.validation ? [factsOf('validation', source.validation, classes)] : []),
    ...(countOf(source.test) > 0 ? [factsOf('test', source.test, classes)] : []),
  ];
}

/**
 * A sheet of sample images: one row for each class (at most `rows`), the first `columns` images of each. Images are enlarged by a whole
 * factor to about 48 pixels and stand 2 pixels apart.
 */
export function sampleSheet(
  set: ImageSet,
  options: { classes: number; rows?: number; columns?: number },
): { data: Uint8Array; shape: readonly [number, number, number] } {
  const { classes, rows = 20, columns = 12 } = options;
  const [height, width, channels] = set.shape;
  const zoom = Math.max(1, Math.floor(48 / Math.max(height, width)));
  const shown = Math.min(rows, classes);
  const gap = 2;
  const [cellHeight, cellWidth] = [height * zoom + gap, width * zoom + gap];
  const shape = [shown * cellHeight + gap, columns * cellWidth + gap, channels] as const;
  const data = new Uint8Array(shape[0] * shape[1] * channels).fill(255);
  const filled = new Array<number>(shown).fill(0);
  const unlabelledOnly = set.labels.every((label) => label < 0);
  for (let i = 0; i < countOf(set) && filled.some((n) => n < columns); i++) {
    const row = unlabelledOnly ? Math.floor(i / columns) : set.labels[i]!;
    if (row < 0 || row >= shown || filled[row]! >= columns) continue;
    const image = imagesAt(set, [i]);
    const [top, left] = [row * cellHeight + gap, filled[row]! * cellWidth + gap];
    filled[row]!++;
    for (let y = 0; y < height * zoom; y++)
      for (let x = 0; x < width * zoom; x++) {
        const from = (Math.floor(y / zoom) * width + Math.floor(x / zoom)) * channels;
        const to = ((top + y) * shape[1] + left + x) * channels;
        for (let c = 0; c < channels; c++) data[to + c] = image[from + c]!;
      }
  }
  return { data, shape };
}
