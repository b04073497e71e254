import { backend_util } from '@tensorflow/tfjs-core';
import type { NamedAttrMap } from '@tensorflow/tfjs-core';
import { scalarType } from '../aten.js';
import type { Kit } from '../kernel.js';
import type { Handle } from '../native.js';

/** A pooling of two or three axes, all with the axes in order: sizes of windows, strides, dilations; margins before and after. */
interface Pooling {
  readonly window: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly margins: readonly (readonly [number, number])[];
}

/** TensorFlow.js's attributes of poolings. */
interface PoolAttributes<Sizes> {
  readonly filterSize: number | Sizes;
  readonly strides: number | Sizes;
  readonly dilations?: number | Sizes;
  readonly pad: number | 'valid' | 'same';
  readonly dimRoundingMode?: 'floor';
}

function pooling2d(shape: readonly number[], attrs: NamedAttrMap): Pooling {
  const given = attrs as unknown as PoolAttributes<[number, number]>;
  const { filterSize, strides, dilations = 1, pad, dimRoundingMode } = given;
  const info = backend_util.computePool2DInfo(
    shape as [number, number, number, number],
    filterSize,
    strides,
    dilations,
    pad,
    dimRoundingMode,
  );
  const { top, bottom, left, right } = info.padInfo;
  return {
    window: [info.filterHeight, info.filterWidth],
    strides: [info.strideHeight, info.strideWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
    margins: [
      [top, bottom],
      [left, right],
    ],
  };
}

function pooling3d(shape: readonly number[], attrs: NamedAttrMap): Pooling {
  const given = attrs as unknown as PoolAttributes<[number, number, number]>;
  const { filterSize, strides, dilations = 1, pad, dimRoundingMode } = given;
  const info = backend_util.computePool3DInfo(
    shape as [number, number, number, number, number],
    filterSize,
    strides,
    dilations,
    pad as 'same',
    dimRoundingMode,
  );
  const { front, back, top, bottom, left, right } = info.padInfo;
  return {
    window: [info.filterDepth, info.filterHeight, info.filterWidth],
    strides: [info.strideDepth, info.strideHeight, info.strideWidth],
    dilations: [info.dilationDepth, info.dilationHeight, info.dilationWidth],
    margins: [
      [front, back],
      [top, bottom],
      [left, right],
    ],
  };
}

/** Maxima and means over windows, with their gradients, which go to the first of equal maxima. */
export function registerPooling({ kernel, aten, at }: Kit): void {
  const registerFor = (axes: 2 | 3, poolingOf: typeof pooling2d): void => {
    const suffix = axes === 2 ? '' : '3D';
    const [first, last] = axes === 2 ? [[0, 3, 1, 2], [0, 2, 3, 1]] : [[0, 4, 1, 2, 3], [0, 2, 3, 4, 1]]; // prettier-ignore
    const channelsFirst = (x: Handle): Handle => aten.permute(x, first);
    const channelsLast = (x: Handle): Handle => aten.permute(x, last);
    const none = Array<number>(axes).fill(0);
    const maxPool = axes === 2 ? aten.maxPool2d : aten.maxPool3d;
    const maxPoolBackward = axes === 2 ? aten.maxPool2dBackward : aten.maxPool3dBackward;
    const avgPool = axes === 2 ? aten.avgPool2d : aten.avgPool3d;
    const avgPoolBackward = axes === 2 ? aten.avgPool2dBackward : aten.avgPool3dBackward;

    /** With margins of `value`: PyTorch's own are the same on both sides, and at most half a window. */
    const padded = (x: Handle, { margins }: Pooling, value: number): Handle =>
      margins.flat().every((n) => n === 0) ? x : aten.padConstant(x, [...margins].reverse().flat(), value);
    const cut = (x: Handle, { margins }: Pooling, shape: readonly number[]): Handle =>
      margins.reduce((part, [before], axis) => aten.narrow(part, 2 + axis, before, shape[1 + axis]!), x);
    const maxima = (x: Handle, p: Pooling): Handle[] =>
      maxPool(padded(channelsFirst(x), p, -Infinity), p.window, p.strides, none, p.dilations);
    const averaging = (p: Pooling) => [p.window, p.strides, none, false, true, null] as const;
    /** The share of a window that is not margin, which the mean is not taken over. */
    const shares = (p: Pooling, shape: readonly number[]): Handle => {
      const ones = aten.full([1, 1, ...shape.slice(1, -1)], 1, scalarType('float32'));
      return avgPool(padded(ones, p, 0), ...averaging(p));
    };

    kernel(`MaxPool${suffix}`, ({ x }, attrs) => channelsLast(maxima(at(x!), poolingOf(x!.shape, attrs))[0]!));
    kernel(`MaxPool${suffix}Grad`, ({ dy, input }, attrs) => {
      const p = poolingOf(input!.shape, attrs);
      const x = padded(channelsFirst(at(input!)), p, -Infinity);
      const indices = maxPool(x, p.window, p.strides, none, p.dilations)[1]!;
      const settings = [p.window, p.strides, none, p.dilations, false, indices] as const;
      const dx = maxPoolBackward(channelsFirst(at(dy!)), x, ...settings);
      return aten.clone(channelsLast(cut(dx, p, input!.shape)), 0);
    });
    kernel(`AvgPool${suffix}`, ({ x }, attrs) => {
      const p = poolingOf(x!.shape, attrs);
      const mean = avgPool(padded(channelsFirst(at(x!)), p, 0), ...averaging(p));
      return channelsLast(aten.div(mean, shares(p, x!.shape)));
    });
    kernel(axes === 2 ? 'AvgPoolGrad' : 'AvgPool3DGrad', ({ dy, input }, attrs) => {
      const p = poolingOf(input!.shape, attrs);
      const x = padded(channelsFirst(at(input!)), p, 0);
      const dMean = aten.div(channelsFirst(at(dy!)), shares(p, input!.shape));
      return aten.clone(channelsLast(cut(avgPoolBackward(dMean, x, ...averaging(p)), p, input!.shape)), 0);
    });
  };
  registerFor(2, pooling2d);
  registerFor(3, pooling3d);
}
