import { backend_util, pad, slice, stridedSlice, tensor1d } from '@tensorflow/tfjs-core';
import type { NamedAttrMap, Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import type { Conv2DAttrs } from '@bulwark/core/engine';
import type { NodeBackend } from './binding.js';
import { convAttributes, paddingName } from './ops.js';
import type { ConvGeometry } from './ops.js';
import type { OwnConvolution } from './own-convolution.js';

export type Shape4D = [number, number, number, number];

/** The geometry of Bulwark's own convolution kernels. */
export const symmetric = ({ stride, padding }: Conv2DAttrs): ConvGeometry => ({
  strides: [stride, stride],
  padding: [padding, padding, padding, padding],
});

/** The geometry that TensorFlow.js's own attributes mean, whichever of its forms of padding they use. */
export function stock(inputShape: Shape4D, filterShape: Shape4D, attrs: NamedAttrMap): ConvGeometry {
  const {
    strides,
    pad,
    dataFormat,
    dilations = 1,
    dimRoundingMode,
  } = attrs as {
    strides: [number, number];
    pad: number;
    dataFormat: string;
    dilations?: [number, number] | 1;
    dimRoundingMode?: 'floor';
  };
  if (dataFormat === 'NCHW') throw new Error('convolution takes dataFormat NHWC here, not NCHW');
  const info = backend_util.computeConv2DInfo(inputShape, filterShape, strides, dilations, pad, dimRoundingMode);
  const { top, bottom, left, right } = info.padInfo;
  return {
    strides: [info.strideHeight, info.strideWidth],
    padding: [top, bottom, left, right],
    dilations: [info.dilationHeight, info.dilationWidth],
  };
}

/** Zero padding as `pad` takes it, which TensorFlow's convolution gradients are given when they have no fast form of their own. */
const zeros = ({ padding: [top, bottom, left, right] }: ConvGeometry): [number, number][] => [
  [0, 0],
  [top, bottom],
  [left, right],
  [0, 0],
];

/** The library, with our own ops where it has them. */
export interface Library {
  readonly backend: NodeBackend;
  readonly own: OwnConvolution | undefined;
}

/** Is a convolution of images of this shape one that our own ops compute faster, although they transform the filter each time? */
function isOwn(
  { own }: Library,
  images: readonly number[],
  filter: readonly number[],
  geometry: ConvGeometry,
): boolean {
  const [count, ...image] = images as [number, number, number, number];
  const ones = [...geometry.strides, ...geometry.padding, ...(geometry.dilations ?? [])].every((each) => each === 1);
  const [rows, columns, , filters] = filter as Shape4D;
  return (
    ones && rows === 3 && columns === 3 && own?.worthwhile({ images: count, image, filters }, { kept: false }) === true
  );
}

/** A filter as our own ops take it. */
const transformed = (backend: NodeBackend, filter: Tensor): Tensor =>
  backend.executeSingleOutput('BulwarkFilter', [], [filter]);

/** y [batch, outHeight, outWidth, out] of x [batch, height, width, in] and filter [kh, kw, in, out], float32. */
export function convolution(
  library: Library,
  { x, filter }: { x: Tensor; filter: Tensor },
  geometry: ConvGeometry,
): Tensor {
  const { backend } = library;
  if (isOwn(library, x.shape, filter.shape, geometry)) {
    const none = tensor1d([], 'float32');
    const relu = { name: 'relu', type: backend.binding.TF_ATTR_BOOL, value: false };
    return backend.executeSingleOutput('BulwarkConvolution', [relu], [x, transformed(backend, filter), none, none]);
  }
  const name = paddingName(geometry, { input: x.shape, filter: filter.shape });
  return backend.executeSingleOutput('Conv2D', convAttributes(backend.binding, geometry, name), [x, filter]);
}

/** Gradient in x, of shape `inputShape`. */
export function inputGradient(
  library: Library,
  { dy, filter }: { dy: Tensor; filter: Tensor },
  { inputShape, ...geometry }: ConvGeometry & { inputShape: Shape4D },
): Tensor {
  const { backend } = library;
  if (isOwn(library, inputShape, filter.shape, geometry))
    return backend.executeSingleOutput('BulwarkConvolutionGradient', [], [dy, transformed(backend, filter)]);
  const name = paddingName(geometry, { input: inputShape, filter: filter.shape });
  const gradient = (shape: readonly number[], padding: 'SAME' | 'VALID') =>
    backend.executeSingleOutput('Conv2DBackpropInput', convAttributes(backend.binding, geometry, padding), [
      tensor1d([...shape], 'int32'),
      filter,
      dy,
    ]);
  if (name !== 'EXPLICIT') return gradient(inputShape, name);
  const margins = zeros(geometry);
  const padded = inputShape.map((length, axis) => length + margins[axis]![0] + margins[axis]![1]);
  return slice(gradient(padded, 'VALID') as Tensor4D, margins.map(([before]) => before) as Shape4D, inputShape);
}

/** The pixels that windows of one pixel see. */
function seen(x: Tensor, [rows, columns]: readonly [number, number], dy: Tensor): Tensor {
  const [batch, height, width, channels] = [x.shape[0]!, dy.shape[1]!, dy.shape[2]!, x.shape[3]!];
  const end = [batch, (height - 1) * rows + 1, (width - 1) * columns + 1, channels];
  return stridedSlice(x, [0, 0, 0, 0], end, [1, rows, columns, 1]);
}

/** Gradient in the filter, of shape `filterShape`. */
export function filterGradient(
  library: Library,
  { x, dy }: { x: Tensor; dy: Tensor },
  { filterShape, ...geometry }: ConvGeometry & { filterShape: Shape4D },
): Tensor {
  const { backend } = library;
  const [down, across] = geometry.strides;
  if (isOwn(library, x.shape, filterShape, geometry))
    return backend.executeSingleOutput('BulwarkFilterGradient', [], [x, dy]);
  const pixels = filterShape[0] === 1 && filterShape[1] === 1 && geometry.padding.every((zeros) => zeros === 0);
  // oneDNN writes past its memory for filters of one pixel with strides, few channels and odd batches: it is given what they read
  if (pixels && (down > 1 || across > 1)) {
    const read = stridedSlice(x, [0, 0, 0, 0], x.shape, [1, down, across, 1]);
    return filterGradient(library, { x: read, dy }, { filterShape, ...geometry, strides: [1, 1] });
  }
  const name = paddingName(geometry, { input: x.shape, filter: filterShape });
  const [rows, columns] = geometry.strides;
  const input = name === 'EXPLICIT' ? pad(x, zeros(geometry)) : x;
  // oneDNN writes past its buffers for windows of one pixel with unequal strides: the process dies, sooner or later
  const unequal = filterShape[0] * filterShape[1] === 1 && rows !== columns;
  const images = unequal ? seen(input, [rows, columns], dy) : input;
  const attributes = convAttributes(
    backend.binding,
    unequal ? { ...geometry, strides: [1, 1] } : geometry,
    name === 'EXPLICIT' ? 'VALID' : name,
  );
  return backend.executeSingleOutput('Conv2DBackpropFilter', attributes, [images, tensor1d(filterShape, 'int32'), dy]);
}
