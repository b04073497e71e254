import { addN, conv2d, engine, gather, reshape, slice, stack, unstack } from '../../tensor/index.js';
import type { NamedAttrMap, Tensor, Tensor4D } from '../../tensor/index.js';
import { padAxis, sameMargins, undilated } from '../../ops/index.js';
import { composed } from './kernel.js';

type Triple = [number, number, number];
type Shape5D = [batch: number, depth: number, height: number, width: number, channels: number];
type Pad = 'same' | 'valid' | number;

interface Attrs {
  readonly strides: Triple | number;
  readonly pad: Pad;
  readonly dilations?: Triple | number;
}

const triple = (value: Triple | number): Triple => (typeof value === 'number' ? [value, value, value] : value);

/** Along the depth: layers of the result, zeros before and after, and the distance from one window to the next. */
interface Depth {
  readonly count: number;
  readonly before: number;
  readonly after: number;
  readonly stride: number;
  readonly taps: number;
}

function depthOf(depth: number, taps: number, { strides, pad }: Attrs): Depth {
  const [stride] = triple(strides);
  if (pad === 'same') {
    const count = Math.ceil(depth / stride);
    const total = Math.max(0, (count - 1) * stride + taps - depth);
    return { count, stride, taps, before: Math.floor(total / 2), after: total - Math.floor(total / 2) };
  }
  const margin = pad === 'valid' ? 0 : pad;
  const count = Math.floor((depth + 2 * margin - taps) / stride) + 1;
  return { count, stride, taps, before: margin, after: margin };
}

/** All layers as images of their own. */
const asImages = (x: Tensor): Tensor4D => {
  const [batch, depth, ...image] = x.shape as Shape5D;
  return reshape(x, [batch * depth, ...image]);
};
const asVolumes = (images: Tensor, batch: number): Tensor =>
  reshape(images, [batch, images.shape[0]! / batch, ...images.shape.slice(1)]);

/** The layers that the windows see with their tap number `tap`, as images. */
function layersUnder(x: Tensor, { count, before, after, stride }: Depth, tap: number): Tensor4D {
  const padded = padAxis(x, 1, [before, after]);
  return asImages(
    gather(
      padded,
      Array.from({ length: count }, (_, index) => index * stride + tap),
      1,
    ),
  );
}

const images2d = ({ strides, pad }: Attrs): NamedAttrMap => ({
  strides: triple(strides).slice(1),
  pad,
  dataFormat: 'NHWC',
  dimRoundingMode: 'floor',
});

/** A convolution of volumes is a sum of convolutions of their layers, one for each layer of the filter. */
function convolve(x: Tensor, filter: Tensor, attrs: Attrs): Tensor {
  const [batch, depth] = x.shape as Shape5D;
  const along = depthOf(depth, filter.shape[0]!, attrs);
  const [, ...strides] = triple(attrs.strides);
  const rounding = typeof attrs.pad === 'number' ? 'floor' : undefined;
  const products = unstack(filter).map((layer, tap) =>
    conv2d(layersUnder(x, along, tap), layer as Tensor4D, strides as [number, number], attrs.pad, 'NHWC', 1, rounding),
  );
  return asVolumes(addN(products), batch);
}

export const volumeConvolution = composed<{ x: Tensor; filter: Tensor }, Attrs>('Conv3D', ({ x, filter }, attrs) => {
  const dilations = triple(attrs.dilations ?? 1);
  if (dilations.every((rate) => rate === 1)) return convolve(x, filter, attrs);
  const kernel = filter.shape.slice(0, 3);
  const margin = typeof attrs.pad === 'number' ? attrs.pad : 0;
  const margins =
    attrs.pad === 'same' ? sameMargins(kernel, dilations) : kernel.map((): [number, number] => [margin, margin]);
  return undilated(x, { kernel, dilations, margins }, (volumes) =>
    convolve(volumes, filter, { strides: 1, pad: 'valid' }),
  );
});

export const volumeConvolutionInputGrad = composed<
  { dy: Tensor; filter: Tensor },
  Attrs & { readonly inputShape: Shape5D }
>('Conv3DBackpropInputV2', ({ dy, filter }, { inputShape, ...attrs }) => {
  const [batch, depth, ...image] = inputShape;
  const { count, stride, taps, before } = depthOf(depth, filter.shape[0]!, attrs);
  const slopes = asImages(dy);
  const length = Math.max(count * stride + taps - 1, before + depth);
  const parts = unstack(filter).map((layer, tap) => {
    const inputs = engine().runKernel(
      'Conv2DBackpropInput',
      { dy: slopes, filter: layer },
      { ...images2d(attrs), inputShape: [batch * count, ...image] },
    ) as Tensor;
    // each layer to the place where the windows have this tap
    const apart = padAxis(reshape(inputs, [batch * count, 1, ...image]), 1, [0, stride - 1]);
    const volumes = reshape(apart, [batch, count * stride, ...image]);
    return padAxis(volumes, 1, [tap, length - count * stride - tap]);
  });
  return slice(addN(parts), [0, before, 0, 0, 0], inputShape);
});

export const volumeConvolutionFilterGrad = composed<
  { x: Tensor; dy: Tensor },
  Attrs & { readonly filterShape: readonly number[] }
>('Conv3DBackpropFilterV2', ({ x, dy }, { filterShape, ...attrs }) => {
  const along = depthOf(x.shape[1]!, filterShape[0]!, attrs);
  const slopes = asImages(dy);
  const layers = Array.from({ length: filterShape[0]! }, (_, tap) =>
    engine().runKernel(
      'Conv2DBackpropFilter',
      { x: layersUnder(x, along, tap), dy: slopes },
      { ...images2d(attrs), filterShape: filterShape.slice(1) },
    ),
  );
  return stack(layers as Tensor[]);
});
