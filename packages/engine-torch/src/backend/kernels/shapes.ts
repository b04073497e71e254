import { backend_util, slice_util, util } from '@tensorflow/tfjs-core';
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import { scalarType } from '../aten.js';
import type { Kit } from '../kernel.js';
import { dtypeCodes, type Handle } from '../native.js';

interface StridedSliceAttributes {
  readonly begin: number[];
  readonly end: number[];
  readonly strides: number[];
  readonly beginMask: number;
  readonly endMask: number;
  readonly ellipsisMask: number;
  readonly newAxisMask: number;
  readonly shrinkAxisMask: number;
}

/** Kernels that move elements, and those that make tensors of nothing. */
export function registerShapes({ kernel, native, aten, at, own, share }: Kit): void {
  const axisOf = (axis: unknown, shape: readonly number[]): number =>
    util.parseAxisParam(axis as number, [...shape])[0]!;

  kernel('Identity', ({ x }) => share(x!, x!.shape));
  kernel('Reshape', ({ x }, { shape }) =>
    share(x!, util.inferFromImplicitShape(shape as number[], util.sizeFromShape(x!.shape))),
  );
  kernel('ExpandDims', ({ input }, { dim }) => {
    const shape = [...input!.shape];
    shape.splice((dim as number) < 0 ? shape.length + (dim as number) + 1 : (dim as number), 0, 1);
    return share(input!, shape);
  });
  kernel('Transpose', ({ x }, { perm }) => aten.permute(at(x!), perm as number[]));
  kernel('BroadcastTo', ({ x }, { shape }) => aten.expandCopy(at(x!), shape as number[]));
  kernel('Tile', ({ x }, { reps }) => aten.repeat(at(x!), reps as number[]));
  kernel('Reverse', ({ x }, { dims }) => {
    const axes = util.parseAxisParam(dims as number[], x!.shape);
    return aten.flip(at(x!), axes);
  });
  kernel('FlipLeftRight', ({ image }) => aten.flip(at(image!), [2]));

  kernel('Concat', (inputs, { axis }) => {
    const all = Object.values(inputs);
    const along = axisOf(axis, all[0]!.shape);
    const filled = all.filter(({ shape }) => util.sizeFromShape(shape) > 0);
    if (filled.length === 1) return share(filled[0]!, filled[0]!.shape);
    return aten.cat((filled.length > 0 ? filled : all).map(at), along);
  });
  kernel('Pack', (inputs, { axis }) => aten.stack(Object.values(inputs).map(at), axis as number));
  kernel('Unpack', ({ value }, { axis }) =>
    aten.unbind(at(value!), axisOf(axis, value!.shape)).map((part) => aten.clone(part)),
  );
  kernel('SplitV', ({ x }, { numOrSizeSplits, axis }) => {
    const along = axisOf(axis, x!.shape);
    const sizes = backend_util.prepareSplitSize(
      x as Parameters<typeof backend_util.prepareSplitSize>[0],
      numOrSizeSplits as number[],
      along,
    );
    return aten.splitSizes(at(x!), sizes, along).map((part) => aten.clone(part, 0));
  });
  kernel('Slice', ({ x }, { begin, size }) => {
    const [from, lengths] = slice_util.parseSliceParams(
      x as Parameters<typeof slice_util.parseSliceParams>[0],
      begin as number[],
      size as number[],
    );
    const part = from!.reduce((tensor, start, axis) => aten.narrow(tensor, axis, start, lengths![axis]), at(x!));
    return aten.clone(part, 0);
  });
  kernel('StridedSlice', ({ x }, attrs) => {
    const { begin, end, strides, ...masks } = attrs as unknown as StridedSliceAttributes;
    const { beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = masks;
    const info = slice_util.sliceInfo(
      x!.shape,
      begin,
      end,
      strides,
      beginMask,
      endMask,
      ellipsisMask,
      newAxisMask,
      shrinkAxisMask,
    );
    if (info.finalShapeSparse.some((length) => length === 0)) return aten.zeros(info.finalShape, scalarType(x!.dtype));
    const part = info.begin.reduce(
      (tensor, start, axis) => {
        const stride = info.strides[axis]!;
        if (stride > 0) return aten.slice(tensor, axis, start, info.end[axis]!, stride);
        // backwards: from `start` down to above `end` is upwards from the last one taken, turned
        const count = Math.ceil((start - info.end[axis]!) / -stride);
        const last = start + (count - 1) * stride;
        return aten.flip(aten.slice(tensor, axis, last, start + 1, -stride), [axis]);
      },
      aten.reshape(at(x!), x!.shape),
    );
    return aten.clone(aten.reshape(part, info.finalShape), 0);
  });

  /** PyTorch names the last axis first. */
  const pairs = (paddings: unknown): number[] => [...(paddings as [number, number][])].reverse().flat();
  kernel('PadV2', ({ x }, { paddings, constantValue }) => {
    const amounts = pairs(paddings);
    if (amounts.every((n) => n === 0)) return share(x!, x!.shape);
    return aten.padConstant(at(x!), amounts, constantValue as number);
  });
  kernel('MirrorPad', ({ x }, { paddings, mode }) => {
    const edge = mode === 'reflect' ? 1 : 0; // does the mirror stand on the last element, or behind it?
    return (paddings as [number, number][]).reduce(
      (tensor, [before, after], axis) => {
        const length = x!.shape[axis]!;
        const part = (from: number, count: number): Handle[] =>
          count === 0 ? [] : [aten.flip(aten.narrow(tensor, axis, from, count), [axis])];
        const parts = [...part(edge, before), tensor, ...part(length - edge - after, after)];
        return parts.length === 1 ? tensor : aten.cat(parts, axis);
      },
      aten.clone(at(x!)),
    );
  });
  kernel('SpaceToBatchND', ({ x }, { blockShape, paddings }) => {
    const block = blockShape as number[];
    const rest = x!.shape.slice(1 + block.length);
    const all = [[0, 0], ...(paddings as [number, number][]), ...rest.map(() => [0, 0])] as [number, number][];
    const padded = x!.shape.map((length, axis) => length + all[axis]![0] + all[axis]![1]);
    const split = block.flatMap((size, i) => [padded[1 + i]! / size, size]);
    const apart = aten.reshape(aten.padConstant(at(x!), pairs(all)), [padded[0]!, ...split, ...rest]);
    const [outer, inner] = [block.map((_, i) => 1 + 2 * i), block.map((_, i) => 2 + 2 * i)];
    const last = rest.map((_, i) => 1 + 2 * block.length + i);
    const sizes = block.map((size, i) => padded[1 + i]! / size);
    const count = block.reduce((product, size) => product * size, padded[0]!);
    return aten.clone(aten.reshape(aten.permute(apart, [...inner, 0, ...outer, ...last]), [count, ...sizes, ...rest]));
  });
  kernel('BatchToSpaceND', ({ x }, { blockShape, crops }) => {
    const block = blockShape as number[];
    const [batch, ...sides] = x!.shape;
    const outer = batch! / block.reduce((product, size) => product * size, 1);
    const [spatial, rest] = [sides.slice(0, block.length), sides.slice(block.length)];
    const apart = aten.reshape(at(x!), [...block, outer, ...spatial, ...rest]);
    const turned = block.flatMap((_, i) => [block.length + 1 + i, i]);
    const last = rest.map((_, i) => 2 * block.length + 1 + i);
    const joined = spatial.map((length, i) => length * block[i]!);
    const whole = aten.reshape(aten.permute(apart, [block.length, ...turned, ...last]), [outer, ...joined, ...rest]);
    const cut = (crops as [number, number][]).reduce(
      (tensor, [before, after], i) => aten.narrow(tensor, 1 + i, before, joined[i]! - before - after),
      whole,
    );
    return aten.clone(cut, 0);
  });
  kernel('DepthToSpace', ({ x }, { blockSize, dataFormat }) => {
    const block = blockSize as number;
    if (dataFormat !== 'NHWC') throw new Error(`depthToSpace takes NHWC here, not ${dataFormat as string}`);
    const [batch, height, width, channels] = x!.shape as [number, number, number, number];
    const depth = channels / block ** 2;
    const apart = aten.reshape(at(x!), [batch, height, width, block, block, depth]);
    return aten.reshape(aten.permute(apart, [0, 1, 3, 2, 4, 5]), [batch, height * block, width * block, depth]);
  });

  const filled = (shape: readonly number[], value: number, dtype: DataType): Handle => {
    scalarType(dtype);
    return own(native.full(shape, value, dtypeCodes[dtype as keyof typeof dtypeCodes]));
  };
  kernel('Fill', (_, { shape, value, dtype = util.inferDtype(value as number) }) =>
    filled(shape as number[], value as number, dtype as DataType),
  );
  const like = (value: number) => (inputs: Record<string, TensorInfo>) =>
    filled(inputs['x']!.shape, value, inputs['x']!.dtype);
  kernel('ZerosLike', like(0));
  kernel('OnesLike', like(1));
  kernel('Range', (_, { start, stop, step, dtype }) => {
    const [from, to, by] = [start, stop, step] as [number, number, number];
    const type = scalarType(dtype as DataType);
    if ((from < to && by < 0) || (to < from && by > 1)) return aten.zeros([0], type);
    return aten.arange(from, to, from > to && by === 1 ? -1 : by, type);
  });
  kernel('LinSpace', (_, { start, stop, num }) => {
    const [from, count] = [start as number, num as number];
    const step = ((stop as number) - from) / (count - 1);
    return aten.addScalar(aten.mulScalar(aten.arange(0, count, 1, scalarType('float32')), count > 1 ? step : 0), from);
  });
  kernel('Diag', ({ x }) => {
    const size = util.sizeFromShape(x!.shape);
    return aten.reshape(aten.diagEmbed(aten.reshape(at(x!), [size])), [...x!.shape, ...x!.shape]);
  });
}
