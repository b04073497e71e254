import * as tf from '../../tensor/index.js';
import { projectL1InBox } from '../../threat/index.js';
import { evaluateAt, zeroGradients, type ApgdResult, type ApgdRun } from './run.js';

/** Constants of the paper's section 3.3: first share of moved pixels, its reduction, and what counts as sparser. */
const firstShare = 0.2;
const shrink = 1.5;
const sparserThan = 0.95;
/** Smallest step size as a share of epsilon. */
const leastStep = 0.1;

/** A difference below this is no change: in float64, what rounding leaves behind. The official code counts exact non-zeros. */
const unchanged = 1e-9;

/** A batch held off the engine: the projection is done in float64. */
interface Host {
  readonly n: number;
  readonly dimension: number;
  readonly x: Float32Array;
}

const row = <T extends Float32Array | Float64Array>(values: T, { dimension }: Host, e: number): T =>
  values.subarray(e * dimension, (e + 1) * dimension) as T;

/** Projects the points onto the l1 ball around the images and the pixel range, in place. */
export function projectPoints(
  points: Float64Array,
  host: { n: number; dimension: number; x: Float32Array },
  epsilon: number,
): void {
  for (let e = 0; e < host.n; e++) {
    const x = row(host.x, host, e);
    const point = row(points, host, e);
    const z = point.map((value, j) => value - x[j]!);
    projectL1InBox(z, x, epsilon);
    for (let j = 0; j < z.length; j++) point[j] = x[j]! + z[j]!;
  }
}

function countChanged(points: Float64Array, host: Host): number[] {
  return Array.from({ length: host.n }, (_, e) => {
    const x = row(host.x, host, e);
    return row(points, host, e).reduce((count, value, j) => count + (Math.abs(value - x[j]!) > unchanged ? 1 : 0), 0);
  });
}

/** Adds a step of l1 length `stepSize` along the signs of the `share` largest gradient entries. */
function addSparseStep(
  point: Float64Array,
  gradient: Float32Array,
  { share, stepSize }: { share: number; stepSize: number },
) {
  const d = gradient.length;
  const index = Math.min(Math.max(Math.floor((1 - share) * d), 0), d - 1);
  const threshold = gradient.map(Math.abs).sort()[index]!;
  let moved = 0;
  for (const g of gradient) if (g !== 0 && Math.abs(g) >= threshold) moved++;
  const length = stepSize / (moved + 1e-10);
  gradient.forEach((g, j) => {
    if (g !== 0 && Math.abs(g) >= threshold) point[j]! += g > 0 ? length : -length;
  });
}

/** Per example, overwrites rows of `to` with rows of `from`. */
function copyRows<T extends Float32Array | Float64Array>(
  mask: readonly boolean[],
  host: Host,
  { from, to }: { from: T; to: T },
) {
  mask.forEach((flag, e) => flag && row(to, host, e).set(row(from, host, e)));
}

/** The first point: a normal draw, projected. Drawn even where a start is given, as in the official code. */
async function start(run: ApgdRun, host: Host): Promise<Float64Array> {
  const noise = run.context.random.normal(run.images.shape);
  const values = await noise.data();
  noise.dispose();
  if (run.start) return Float64Array.from(await run.start.data());
  const points = Float64Array.from(values, (t, j) => host.x[j]! + t);
  projectPoints(points, host, run.context.threat.epsilon);
  return points;
}

/** One run in the l1 ball (Croce and Hein, 2021, Algorithm 1; arXiv:2103.01208). */
export async function apgdL1(run: ApgdRun): Promise<ApgdResult> {
  const { iterations, trace, images, context } = run;
  const { epsilon } = context.threat;
  const n = images.shape[0];
  const host: Host = { n, dimension: images.size / n, x: (await images.data()) as Float32Array };
  const evaluate = async (points: Float64Array, iteration: number) => {
    const tensor = tf.tensor4d(Float32Array.from(points), images.shape);
    const { gradient, loss, correct } = await evaluateAt(run, tensor);
    const zero = iteration === 0 ? await zeroGradients(gradient) : undefined;
    trace?.point?.(tensor, iteration);
    const values = Float32Array.from(await gradient.data());
    tf.dispose([tensor, gradient]);
    return { gradient: values, loss, correct, zero };
  };

  const point = await start(run, host);
  const first = await evaluate(point, 0);
  let { gradient, loss, correct } = first;
  const [best, adversarial] = [point.slice(), point.slice()];
  const bestGradient = gradient.slice();
  const bestLoss = loss.slice();
  const robust = correct.slice();
  let support = run.start ? countChanged(point, host) : new Array<number>(n).fill(host.dimension);
  let shares = support.map((count) => (run.start ? count / host.dimension / shrink : firstShare));
  const stepSizes = new Float64Array(n).fill(epsilon);
  const period = Math.max(Math.trunc(0.04 * iterations), 1);

  for (let i = 1; i <= iterations; i++) {
    for (let e = 0; e < n; e++)
      addSparseStep(row(point, host, e), row(gradient, host, e), { share: shares[e]!, stepSize: stepSizes[e]! });
    projectPoints(point, host, epsilon);
    ({ gradient, loss, correct } = await evaluate(point, i));
    copyRows(
      [...correct].map((flag) => flag === 0),
      host,
      { from: point, to: adversarial },
    );
    correct.forEach((flag, e) => (robust[e]! &= flag));
    const better = [...loss].map((value, e) => value > bestLoss[e]!);
    better.forEach((flag, e) => flag && (bestLoss[e] = loss[e]!));
    copyRows(better, host, { from: point, to: best });
    copyRows(better, host, { from: gradient, to: bestGradient });
    if (i % period === 0) {
      const now = countChanged(best, host);
      const sparser = now.map((count, e) => count / support[e]! < sparserThan);
      shares = now.map((count) => count / host.dimension / shrink);
      sparser.forEach((flag, e) => {
        stepSizes[e] = flag ? epsilon : Math.max(stepSizes[e]! / shrink, epsilon * leastStep);
      });
      support = now;
      copyRows(sparser, host, { from: best, to: point });
      copyRows(sparser, host, { from: bestGradient, to: gradient });
    }
    context.progress?.(i / iterations);
  }
  const tensor = (values: Float64Array) => tf.tensor4d(Float32Array.from(values), images.shape);
  return { best: tensor(best), adversarial: tensor(adversarial), robust, bestLoss, zeroGradient: first.zero! };
}
