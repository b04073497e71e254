import { backend_util } from '@tensorflow/tfjs-core';
import type { NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { Kit } from '../kernel.js';
import type { Geometry, Handle } from '../native.js';
import { activation } from './products.js';

type Shape4D = [number, number, number, number];
type Shape5D = [number, number, number, number, number];

const geometryOf = (info: backend_util.Conv2DInfo, groups = 1): Geometry => {
  const { top, bottom, left, right } = info.padInfo;
  return [
    info.strideHeight,
    info.strideWidth,
    top,
    bottom,
    left,
    right,
    info.dilationHeight,
    info.dilationWidth,
    groups,
  ];
};

/** TensorFlow.js's attributes of convolutions. */
interface StockAttributes {
  readonly strides: number | [number, number];
  readonly pad: number | 'valid' | 'same';
  readonly dataFormat?: string;
  readonly dilations?: number | [number, number] | null;
  readonly dimRoundingMode?: 'floor';
}

/** The geometry that TensorFlow.js's attributes mean, whichever of its forms of padding they use. */
function stock(x: readonly number[], filter: readonly number[], attrs: NamedAttrMap, depthwise = false): Geometry {
  const { strides, pad, dataFormat = 'NHWC', dilations, dimRoundingMode } = attrs as unknown as StockAttributes;
  if (dataFormat !== 'NHWC') throw new Error(`convolution takes dataFormat NHWC here, not ${dataFormat}`);
  const info = backend_util.computeConv2DInfo(
    x as Shape4D,
    filter as Shape4D,
    strides,
    dilations ?? 1,
    pad,
    dimRoundingMode,
    depthwise,
  );
  return geometryOf(info, depthwise ? x[3]! : 1);
}

/** The geometry of Bulwark's own convolutions. */
const symmetric = ({ stride, padding }: NamedAttrMap): Geometry => {
  const [s, p] = [stride as number, padding as number];
  return [s, s, p, p, p, p, 1, 1, 1];
};

/** Two-dimensional convolutions with their gradients: TensorFlow.js's, depthwise ones, Bulwark's. */
export function registerConvolutions(kit: Kit): void {
  const { kernel, native, own, aten, at } = kit;
  const filterShapeOf = (attrs: NamedAttrMap) => attrs['filterShape'] as Shape4D;
  const inputShapeOf = (attrs: NamedAttrMap) => attrs['inputShape'] as Shape4D;

  kernel('Conv2D', ({ x, filter }, attrs) =>
    own(native.conv2d(at(x!), at(filter!), null, stock(x!.shape, filter!.shape, attrs))),
  );
  kernel('Conv2DBackpropInput', ({ dy, filter }, attrs) => {
    const shape = inputShapeOf(attrs);
    return own(native.conv2dInputGradient(at(dy!), at(filter!), shape, stock(shape, filter!.shape, attrs)));
  });
  kernel('Conv2DBackpropFilter', ({ x, dy }, attrs) => {
    const shape = filterShapeOf(attrs);
    return own(native.conv2dFilterGradient(at(x!), at(dy!), shape, stock(x!.shape, shape, attrs)));
  });
  kernel('FusedConv2D', ({ x, filter, bias, preluActivationWeights }, attrs) => {
    const geometry = stock(x!.shape, filter!.shape, attrs);
    const y = own(native.conv2d(at(x!), at(filter!), bias ? at(bias) : null, geometry));
    return activation(kit, attrs, preluActivationWeights)(y);
  });

  /** A filter [height, width, channels, multiplier] as one of groups: [height, width, 1, channels * multiplier]. */
  const ofGroups = ([height, width, channels, multiplier]: readonly number[]): Shape4D => [
    height!,
    width!,
    1,
    channels! * multiplier!,
  ];
  const grouped = (filter: TensorInfo): Handle => aten.reshape(at(filter), ofGroups(filter.shape));
  kernel('DepthwiseConv2dNative', ({ x, filter }, attrs) =>
    own(native.conv2d(at(x!), grouped(filter!), null, stock(x!.shape, filter!.shape, attrs, true))),
  );
  kernel('DepthwiseConv2dNativeBackpropInput', ({ dy, filter }, attrs) => {
    const shape = inputShapeOf(attrs);
    return own(native.conv2dInputGradient(at(dy!), grouped(filter!), shape, stock(shape, filter!.shape, attrs, true)));
  });
  kernel('DepthwiseConv2dNativeBackpropFilter', ({ x, dy }, attrs) => {
    const shape = filterShapeOf(attrs);
    const geometry = stock(x!.shape, shape, attrs, true);
    return aten.reshape(own(native.conv2dFilterGradient(at(x!), at(dy!), ofGroups(shape), geometry)), shape);
  });
  kernel('FusedDepthwiseConv2D', ({ x, filter, bias, preluActivationWeights }, attrs) => {
    const geometry = stock(x!.shape, filter!.shape, attrs, true);
    const y = own(native.conv2d(at(x!), grouped(filter!), bias ? at(bias) : null, geometry));
    return activation(kit, attrs, preluActivationWeights)(y);
  });

  kernel('BulwarkConv2D', ({ x, filter }, attrs) => own(native.conv2d(at(x!), at(filter!), null, symmetric(attrs))));
  for (const [name, relu] of [
    ['BulwarkConv2DBias', false],
    ['BulwarkConv2DBiasRelu', true],
  ] as const)
    kernel(name, ({ x, filter, bias }, attrs) =>
      own(native.conv2d(at(x!), at(filter!), at(bias!), symmetric(attrs), relu)),
    );
  kernel('BulwarkConv2DInputGrad', ({ dy, filter }, attrs) =>
    own(native.conv2dInputGradient(at(dy!), at(filter!), inputShapeOf(attrs), symmetric(attrs))),
  );
  kernel('BulwarkConv2DFilterGrad', ({ x, dy }, attrs) =>
    own(native.conv2dFilterGradient(at(x!), at(dy!), filterShapeOf(attrs), symmetric(attrs))),
  );
}

/** Three-dimensional convolutions, [batch, depth, height, width, channels], which no model of images has, but layers do. */
export function registerConvolutions3d({ kernel, aten, at }: Kit): void {
  const channelsFirst = (x: Handle): Handle => aten.permute(x, [0, 4, 1, 2, 3]);
  const channelsLast = (x: Handle): Handle => aten.permute(x, [0, 2, 3, 4, 1]);
  const filterFirst = (filter: Handle): Handle => aten.permute(filter, [4, 3, 0, 1, 2]);
  const infoOf = (x: readonly number[], filter: readonly number[], { strides, pad, dilations = 1 }: NamedAttrMap) =>
    backend_util.computeConv3DInfo(
      x as Shape5D,
      filter as Shape5D,
      strides as Shape5D[0],
      dilations as Shape5D[0],
      pad as 'same',
    );
  const settings = (info: backend_util.Conv3DInfo) => {
    const { front, back, top, bottom, left, right } = info.padInfo;
    return {
      // TensorFlow.js subtracts where a window is smaller than its stride
      margins: [left, right, top, bottom, front, back].map((zeros) => Math.max(0, zeros)),
      strides: [info.strideDepth, info.strideHeight, info.strideWidth],
      dilations: [info.dilationDepth, info.dilationHeight, info.dilationWidth],
    };
  };
  /** Zeros around channels-first volumes; PyTorch's own padding is the same on both sides. */
  const padded = (x: Handle, margins: readonly number[]): Handle =>
    margins.some((n) => n > 0) ? aten.padConstant(x, margins, 0) : x;

  kernel('Conv3D', ({ x, filter }, attrs) => {
    const { margins, strides, dilations } = settings(infoOf(x!.shape, filter!.shape, attrs));
    const volumes = padded(channelsFirst(at(x!)), margins);
    const y = aten.convolution(
      volumes,
      filterFirst(at(filter!)),
      null,
      strides,
      [0, 0, 0],
      dilations,
      false,
      [0, 0, 0],
      1,
    );
    return channelsLast(y);
  });

  const gradients = (
    { dy, x, filter }: Record<'dy' | 'x' | 'filter', Handle>,
    info: backend_util.Conv3DInfo,
    wanted: 'x' | 'filter',
  ) => {
    const { strides, dilations } = settings(info);
    const rest = [dilations, false, [0, 0, 0], 1, [wanted === 'x', wanted === 'filter', false]] as const;
    return aten.convolutionBackward(channelsFirst(dy), x, filterFirst(filter), null, strides, [0, 0, 0], ...rest);
  };
  kernel('Conv3DBackpropInputV2', ({ dy, filter }, attrs) => {
    const shape = attrs['inputShape'] as Shape5D;
    const info = infoOf(shape, filter!.shape, attrs);
    const { margins } = settings(info);
    const blank = padded(channelsFirst(aten.zeros(shape, 6)), margins);
    const [dx] = gradients({ dy: at(dy!), x: blank, filter: at(filter!) }, info, 'x');
    const cut = [2, 3, 4].reduce(
      (tensor: Handle, axis) => aten.narrow(tensor, axis, margins[8 - 2 * axis]!, shape[axis - 1]!),
      dx!,
    );
    return aten.clone(channelsLast(cut), 0);
  });
  kernel('Conv3DBackpropFilterV2', ({ x, dy }, attrs) => {
    const shape = attrs['filterShape'] as Shape5D;
    const info = infoOf(x!.shape, shape, attrs);
    const volumes = padded(channelsFirst(at(x!)), settings(info).margins);
    const [, dFilter] = gradients({ dy: at(dy!), x: volumes, filter: aten.zeros(shape, 6) }, info, 'filter');
    return aten.clone(aten.permute(dFilter!, [2, 3, 4, 1, 0]), 0);
  });
}
