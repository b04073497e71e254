import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebgpuBackend } from '../backend.js';
import { putNorm, type NormInputs } from '../batch-norm.js';
import { emptyTensor, flat, typeOf, widthOf, type RunShader, type Width } from '../shader.js';

/** Invocations of a group; as many side by side as there are channels for, at most 16, and the others below each other. */
const invocations = 256;
/** Groups that keep a large GPU busy, and fewest rows that are worth one. */
const wantedGroups = 256;
const fewestRows = 64;
/** Most groups along one dimension of a dispatch that every adapter has. */
const mostGroups = 65535;

/** How groups share out a matrix `[rows, channels]`. */
interface Layout {
  readonly width: Width;
  readonly rows: number;
  readonly channels: number;
  /** Invocations side by side and below each other. */
  readonly columns: number;
  readonly lanes: number;
  /** Groups side by side. */
  readonly across: number;
  /** Blocks of rows that are summed apart. */
  readonly blocks: number;
  readonly rowsOfBlock: number;
}

function layoutOf(x: TensorInfo): Layout {
  const channels = x.shape.at(-1)!;
  const width = widthOf(channels);
  const rows = flat(x).shape[0]! / channels;
  const columns = [1, 2, 4, 8].find((many) => many * width >= channels) ?? 16;
  const across = Math.ceil(channels / width / columns);
  const most = Math.max(1, Math.min(Math.ceil(wantedGroups / across), Math.floor(rows / fewestRows)));
  const rowsOfBlock = Math.max(1, Math.ceil(rows / most));
  const blocks = Math.max(1, Math.ceil(rows / rowsOfBlock));
  return { width, rows, channels, columns, lanes: invocations / columns, across, blocks, rowsOfBlock };
}

const integersOf = ({ width, rows, channels, blocks, rowsOfBlock }: Layout) => ({
  rows,
  groups: channels / width,
  blocks,
  rowsOfBlock,
});

/** What all these shaders begin with: where an invocation is, and sums over the lanes of its column. */
const begin = ({ width, columns, lanes }: Layout): string => `
  var<workgroup> shared_ : array<${typeOf(width)}, ${invocations}>;
  fn channelHere() -> i32 { return i32(workgroupId.x) * ${columns} + i32(localId.x); }
  fn rowsOf(block : i32) -> i32 {
    return max(0, min(uniforms.rowsOfBlock, uniforms.rows - block * uniforms.rowsOfBlock));
  }
  /** Of the invocations below each other at one channel; all of a group call it. */
  fn sumOfLanes(own : ${typeOf(width)}) -> ${typeOf(width)} {
    workgroupBarrier();
    shared_[localIndex] = own;
    workgroupBarrier();
    var sum = ${typeOf(width)}(0.0);
    for (var lane = 0; lane < ${lanes}; lane++) { sum += shared_[lane * ${columns} + i32(localId.x)]; }
    return sum;
  }`;

/** The name of a pipeline says all that its code depends on. */
const named = (name: string, { width, columns }: Layout): string => `${name} ${width} ${columns}`;

/** A shader whose groups each make two sums, `[2 * blocks, channels]`, of a block of rows. */
function parts(
  run: RunShader,
  backend: unknown,
  of: { name: string; layout: Layout; inputs: Record<string, TensorInfo>; epsilon?: number; code: string },
): TensorInfo {
  const { name, layout, inputs, epsilon, code } = of;
  const { width, channels, columns, lanes, across, blocks } = layout;
  return run(backend, {
    name: named(name, layout),
    inputs,
    widths: Object.fromEntries(Object.keys(inputs).map((input) => [input, width])),
    shape: [2 * blocks * channels],
    width,
    integers: integersOf(layout),
    floats: epsilon === undefined ? {} : { epsilon },
    groupSize: [columns, lanes, 1],
    groups: [across, blocks, 1],
    code: () => `
      ${begin(layout)}
      fn main() {
        let channel = channelHere();
        let block = i32(workgroupId.y);
        let first = block * uniforms.rowsOfBlock;
        let inside = channel < uniforms.groups;
        let end = select(0, first + rowsOf(block), inside);
        var one = ${typeOf(width)}(0.0);
        var two = ${typeOf(width)}(0.0);
        ${code}
        if (localId.y == 0u && inside) {
          result[2 * block * uniforms.groups + channel] = one;
          result[(2 * block + 1) * uniforms.groups + channel] = two;
        }
      }`,
  });
}

/**
 * Mean and squared deviations from it of each block, of values less the channel's first one, so that those far from 0 lose nothing. Each
 * invocation follows its own rows (Welford, 1962), and theirs are merged (Chan et al., 1979).
 */
const statisticsOfBlocks = ({ width, lanes }: Layout): string => `
  var count = 0.0;
  let origin = readX(select(0, channel, inside));
  for (var row = first + i32(localId.y); row < end; row += ${lanes}) {
    let x = readX(row * uniforms.groups + channel) - origin;
    count += 1.0;
    let change = x - one;
    one += change / count;
    two += change * (x - one);
  }
  let mean = sumOfLanes(one * count) / ${typeOf(width)}(f32(max(1, rowsOf(block))));
  two = sumOfLanes(two + count * (one - mean) * (one - mean));
  one = mean;`;

/** Mean and variance of all rows, from those of the blocks. */
const mergedStatistics = ({ width, lanes }: Layout): string => `
  var own = ${typeOf(width)}(0.0);
  for (var block = i32(localId.y); inside && block < uniforms.blocks; block += ${lanes}) {
    own += f32(rowsOf(block)) * readParts(2 * block * uniforms.groups + channel);
  }
  let merged = sumOfLanes(own) / f32(uniforms.rows);
  let mean = readX(parameter) + merged;
  own = ${typeOf(width)}(0.0);
  for (var block = i32(localId.y); inside && block < uniforms.blocks; block += ${lanes}) {
    let apart = readParts(2 * block * uniforms.groups + channel) - merged;
    own += readParts((2 * block + 1) * uniforms.groups + channel) + f32(rowsOf(block)) * apart * apart;
  }
  let variance = sumOfLanes(own) / f32(uniforms.rows);`;

const sumsOfBlocks = ({ width, lanes }: Layout): string => `
  let mean = readMean(select(0, channel, inside));
  let deviation = inverseSqrt(readVariance(select(0, channel, inside)) + ${typeOf(width)}(uniforms.epsilon));
  for (var row = first + i32(localId.y); row < end; row += ${lanes}) {
    let index = row * uniforms.groups + channel;
    let dy = readDy(index);
    one += dy;
    two += dy * (readX(index) - mean) * deviation;
  }
  one = sumOfLanes(one);
  two = sumOfLanes(two);`;

/** Sums of the blocks' sums: of dy, and of dy times the normalised x. */
const mergedSums = ({ width, lanes }: Layout): string => `
  var one = ${typeOf(width)}(0.0);
  var two = ${typeOf(width)}(0.0);
  for (var block = i32(localId.y); inside && block < uniforms.blocks; block += ${lanes}) {
    one += readParts(2 * block * uniforms.groups + channel);
    two += readParts((2 * block + 1) * uniforms.groups + channel);
  }
  let dBeta = sumOfLanes(one);
  let dGamma = sumOfLanes(two);`;

/** A shader with a result for each element of `[rows, channels]`, whose groups merge the sums of the blocks first. */
function elements(
  run: RunShader,
  backend: unknown,
  of: {
    name: string;
    layout: Layout;
    inputs: Record<string, TensorInfo>;
    outputs?: Record<string, TensorInfo>;
    epsilon: number;
    /** Statements before the rows, each row's value, and what the first invocation of a channel writes beside. */
    before: string;
    value: string;
    after?: string;
  },
): TensorInfo {
  const { name, layout, inputs, outputs = {}, epsilon, before, value, after = '' } = of;
  const { width, rows, channels, columns, lanes, across } = layout;
  const rowsOfGroup = Math.max(lanes, Math.ceil(rows / Math.min(mostGroups, Math.ceil((4 * wantedGroups) / across))));
  return run(backend, {
    name: named(name, layout),
    inputs,
    outputs,
    widths: Object.fromEntries([...Object.keys(inputs), ...Object.keys(outputs)].map((each) => [each, width])),
    shape: [rows * channels],
    width,
    integers: { ...integersOf(layout), rowsOfGroup },
    floats: { epsilon },
    groupSize: [columns, lanes, 1],
    groups: [across, Math.max(1, Math.ceil(rows / rowsOfGroup)), 1],
    code: () => `
      ${begin(layout)}
      fn main() {
        let channel = channelHere();
        let inside = channel < uniforms.groups;
        let parameter = select(0, channel, inside);
        ${before}
        let first = i32(workgroupId.y) * uniforms.rowsOfGroup;
        let end = select(0, min(first + uniforms.rowsOfGroup, uniforms.rows), inside);
        for (var row = first + i32(localId.y); row < end; row += ${lanes}) {
          let index = row * uniforms.groups + channel;
          result[index] = ${value};
        }
        if (workgroupId.y == 0u && localId.y == 0u && inside) { ${after} }
      }`,
  });
}

function train(run: RunShader, backend: WebgpuBackend, { x, gamma, beta }: NormInputs, epsilon: number): TensorInfo[] {
  const layout = layoutOf(x);
  const { channels, width } = layout;
  const flatX = flat(x);
  const code = statisticsOfBlocks(layout);
  const found = parts(run, backend, { name: 'batch statistics', layout, inputs: { X: flatX }, code });
  const [mean, variance] = [emptyTensor(backend, [channels]), emptyTensor(backend, [channels])];
  const { dataId, dtype } = elements(run, backend, {
    name: 'batch norm',
    layout,
    inputs: { X: flatX, Parts: found, Gamma: gamma, Beta: beta },
    outputs: { Mean: mean, Variance: variance },
    epsilon,
    before: `
      ${mergedStatistics(layout)}
      let scale = readGamma(parameter) * inverseSqrt(variance + ${typeOf(width)}(uniforms.epsilon));
      let shift = readBeta(parameter);`,
    value: '(readX(index) - mean) * scale + shift',
    after: 'Mean[channel] = mean; Variance[channel] = variance;',
  });
  backend.disposeData(found.dataId);
  return [{ dataId, dtype, shape: x.shape }, mean, variance];
}

/** The sums of a gradient's blocks. */
function gradientParts(run: RunShader, backend: WebgpuBackend, inputs: NormInputs, epsilon: number): TensorInfo {
  const { dy, x, mean, variance } = inputs;
  const layout = layoutOf(x);
  const given = { Dy: flat(dy), X: flat(x), Mean: mean, Variance: variance };
  const code = sumsOfBlocks(layout);
  return parts(run, backend, { name: 'batch norm gradient sums', layout, inputs: given, epsilon, code });
}

function inputGradient(
  run: RunShader,
  backend: WebgpuBackend,
  { dy, x, gamma, mean, variance }: NormInputs,
  { epsilon, sums }: { epsilon: number; sums: TensorInfo },
): TensorInfo {
  const layout = layoutOf(x);
  const { dataId, dtype } = elements(run, backend, {
    name: 'batch norm gradient',
    layout,
    inputs: { Dy: flat(dy), X: flat(x), Parts: sums, Gamma: gamma, Mean: mean, Variance: variance },
    epsilon,
    before: `
      ${mergedSums(layout)}
      let mean = readMean(parameter);
      let deviation = inverseSqrt(readVariance(parameter) + ${typeOf(layout.width)}(uniforms.epsilon));
      let scale = readGamma(parameter) * deviation;
      let count = f32(uniforms.rows);`,
    // what dy changes in the mean and in the variance
    value: '(readDy(index) - (dBeta + (readX(index) - mean) * deviation * dGamma) / count) * scale',
  });
  return { dataId, dtype, shape: x.shape };
}

/** [dGamma, dBeta]. */
function parameterGradients(run: RunShader, backend: WebgpuBackend, x: TensorInfo, sums: TensorInfo): TensorInfo[] {
  const layout = layoutOf(x);
  const { width, channels, columns, lanes, across } = layout;
  const dBeta = emptyTensor(backend, [channels]);
  const dGamma = run(backend, {
    name: named('batch norm parameter gradients', layout),
    inputs: { Parts: sums },
    outputs: { DBeta: dBeta },
    widths: { Parts: width, DBeta: width },
    shape: [channels],
    width,
    integers: integersOf(layout),
    groupSize: [columns, lanes, 1],
    groups: [across, 1, 1],
    code: () => `
      ${begin(layout)}
      fn main() {
        let channel = channelHere();
        let inside = channel < uniforms.groups;
        ${mergedSums(layout)}
        if (localId.y == 0u && inside) {
          result[channel] = dGamma;
          DBeta[channel] = dBeta;
        }
      }`,
  });
  return [dGamma, dBeta];
}

/**
 * BatchNorm with the batch's statistics, and its gradients, in two shaders each, and one more for gradients in parameters: one sums blocks of
 * rows, the other adds those sums up in each of its groups, which costs less than a shader of its own.
 */
export function putBatchNormTrain(run: RunShader): void {
  putNorm('BulwarkBatchNormTrain', (backend, inputs, epsilon) => train(run, backend, inputs, epsilon));
  putNorm('BulwarkBatchNormTrainGrad', (backend, inputs, epsilon) => {
    const sums = gradientParts(run, backend, inputs, epsilon);
    const dx = inputGradient(run, backend, inputs, { epsilon, sums });
    const found = [dx, ...parameterGradients(run, backend, inputs.x, sums)];
    backend.disposeData(sums.dataId);
    return found;
  });
  putNorm('BulwarkBatchNormTrainInputGrad', (backend, inputs, epsilon) => {
    const sums = gradientParts(run, backend, inputs, epsilon);
    const dx = inputGradient(run, backend, inputs, { epsilon, sums });
    backend.disposeData(sums.dataId);
    return dx;
  });
}
