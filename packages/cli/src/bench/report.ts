import { table } from '../terminal/table.js';
import type { EngineBench } from './bench-engine.js';
import type { Sample } from './sample.js';
import type { TrainingRow } from './training.js';

/** Three digits, or all before the point. */
export const digits = (value: number): string =>
  !Number.isFinite(value) ? '-' : value >= 100 ? value.toFixed(0) : value.toPrecision(3);

/** Median with the extremes: `1.23 (1.20 to 1.31)`; the median alone of a single run. */
export const spread = ({ median, lowest, highest, runs }: Sample): string =>
  runs === 1 ? digits(median) : `${digits(median)} (${digits(lowest)} to ${digits(highest)})`;

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

interface Section {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const trainingRow = (engine: string, row: TrainingRow): string[] => [
  engine,
  row.model,
  row.reducedPrecision ? `${row.method}, attack in bfloat16` : row.method,
  String(row.batch),
  String(row.steps),
  spread(row.seconds),
  digits(row.imagesPerSecond),
  megabytes(row.peakTensors),
  megabytes(row.peakProcess),
];

const trainingHead = ['engine', 'model', 'method', 'batch', 'K', 's/step', 'images/s', 'tensors MB', 'process MB'];

/** One section for each part that was measured on any engine. */
function sections(results: readonly EngineBench[]): Section[] {
  const rowsOf = <Row>(
    rows: (bench: EngineBench) => readonly Row[] | undefined,
    show: (row: Row, bench: EngineBench) => string[],
  ) => results.flatMap((bench) => (rows(bench) ?? []).map((row) => show(row, bench)));
  return [
    {
      title: 'Peak rates: product of two matrices, and convolution with both gradients',
      head: ['engine', 'matmul GFLOP/s', 'matrix', 'convolution GFLOP/s', 'of matmul'],
      rows: rowsOf(
        ({ speed }) => speed && [speed],
        (speed, { engine }) => [
          engine,
          digits(speed.matmulGflops),
          `${speed.matmulSize} x ${speed.matmulSize}`,
          digits(speed.convolutionGflops),
          percent(speed.convolutionGflops / speed.matmulGflops),
        ],
      ),
    },
    {
      title: 'Passes',
      head: ['engine', 'model', 'batch', 'pass', 'ms/image', 'GFLOP/s', 'of matmul'],
      rows: rowsOf(
        ({ gradients }) => gradients,
        (row, { engine, speed }) => [
          engine,
          row.model,
          String(row.batch),
          row.pass,
          spread(row.perImage),
          digits(row.gflops),
          speed ? percent(row.gflops / speed.matmulGflops) : '-',
        ],
      ),
    },
    {
      title: 'Training steps (K steps of the inner attack)',
      head: trainingHead,
      rows: rowsOf(
        ({ training }) => training,
        (row, { engine }) => trainingRow(engine, row),
      ),
    },
    {
      title: 'Growth with the batch and with K',
      head: trainingHead,
      rows: rowsOf(
        ({ growth }) => growth,
        (row, { engine }) => trainingRow(engine, row),
      ),
    },
    {
      title: 'Stages of AutoAttack on small-cnn',
      head: ['engine', 'stage', 'images', 'images/s', 'measured on'],
      rows: rowsOf(
        ({ attacks }) => attacks,
        (row, { engine }) => [
          engine,
          row.stage,
          String(row.images),
          digits(row.imagesPerSecond),
          `${percent(row.share)} of its iterations`,
        ],
      ),
    },
    {
      title: 'Data pipeline alone (32x32x3, crop and flip)',
      head: ['engine', 'images/s', 'times adversarial training of small-cnn'],
      rows: rowsOf(
        ({ pipeline }) => pipeline && [pipeline],
        ({ imagesPerSecond }, { engine, training }) => {
          const trained = training?.find(({ model, method }) => model === 'small-cnn' && method === 'at');
          return [engine, digits(imagesPerSecond), trained ? digits(imagesPerSecond / trained.imagesPerSecond) : '-'];
        },
      ),
    },
  ];
}

/** The tables of all parts that were measured. */
export const benchReport = (results: readonly EngineBench[]): string =>
  sections(results)
    .filter(({ rows }) => rows.length > 0)
    .map(({ title, head, rows }) => `${title}\n${table(head, rows)}`)
    .join('\n\n');
