import { add, backend_util, conv2d, depthwiseConv2d, tidy } from '../../tensor/index.js';
import type { Tensor, Tensor4D, TensorInfo } from '../../tensor/index.js';
import { activate, type FusedActivation } from '../composed/activation.js';
import { undilated } from '../../ops/dilation.js';
import { convFilterGrad } from './conv2d-filter-gradient.js';
import { convForward } from './conv2d-forward.js';
import { convInputGrad } from './conv2d-input-gradient.js';
import type { ConvGeometry, Shape4D } from './convolution-layout.js';
import { depthwiseFilterGrad, depthwiseForward, depthwiseInputGrad } from './depthwise.js';
import { put } from './put.js';

/** Attributes of TensorFlow.js's own convolution kernels. */
interface Attrs {
  readonly strides: [number, number] | number;
  readonly pad: number;
  readonly dilations?: [number, number] | number | null;
  readonly dimRoundingMode?: 'floor';
  readonly dataFormat?: 'NHWC';
}
type Images = { x: TensorInfo; filter: TensorInfo };
type Fused = Images & { bias?: TensorInfo; preluActivationWeights?: TensorInfo };
type Shapes = { inputShape: Shape4D; filterShape: Shape4D; depthwise?: boolean };

/** What the attributes mean, whichever of their forms of padding they use. */
function geometryOf({ inputShape, filterShape, depthwise = false }: Shapes, attrs: Attrs) {
  const { strides, pad, dilations, dimRoundingMode, dataFormat = 'NHWC' } = attrs;
  if (dataFormat !== 'NHWC') throw new Error(`convolutions of the wasm engine take dataFormat NHWC, not ${dataFormat}`);
  const rest = [dilations ?? 1, pad, dimRoundingMode, depthwise] as const;
  const info = backend_util.computeConv2DInfo(inputShape, filterShape, strides, ...rest);
  const { top, bottom, left, right } = info.padInfo;
  const geometry: ConvGeometry = { strides: [info.strideHeight, info.strideWidth], top, left };
  return {
    ...{ ...geometry, inputShape, filterShape, outHeight: info.outHeight, outWidth: info.outWidth },
    window: {
      kernel: filterShape.slice(0, 2),
      dilations: [info.dilationHeight, info.dilationWidth],
      margins: [[top, bottom] as const, [left, right] as const],
    },
  };
}

type Geometry = ReturnType<typeof geometryOf>;
const isDilated = ({ window }: Geometry): boolean => window.dilations.some((rate) => rate > 1);
const ofForward = ({ x, filter }: Images, attrs: Attrs, depthwise = false): Geometry =>
  geometryOf({ inputShape: x.shape as Shape4D, filterShape: filter.shape as Shape4D, depthwise }, attrs);

type Convolve = typeof conv2d | typeof depthwiseConv2d;

/** A dilated convolution, made of one that is not. */
const dilated = ({ x, filter }: Images, { window }: Geometry, convolve: Convolve): Tensor =>
  tidy(() => undilated(x as Tensor, window, (images) => convolve(images as Tensor4D, filter as Tensor4D, 1, 'valid')));

/** Product, bias and activation one after the other. */
const unfused = (inputs: Fused, attrs: Attrs & FusedActivation, convolve: Convolve): Tensor =>
  tidy(() => {
    const { x, filter, bias, preluActivationWeights: slopes } = inputs as { [name in keyof Fused]: Tensor4D };
    const { strides, pad, dataFormat, dilations, dimRoundingMode } = attrs;
    const y = convolve(x!, filter!, strides, pad, dataFormat, dilations ?? 1, dimRoundingMode);
    return activate(bias ? add(y, bias) : y, attrs, slopes);
  });

/** Convolutions across channels: the stock ones give zeros for some windows with `same` padding and strides. */
function putAcrossChannels(): void {
  put<Images, Attrs>('Conv2D', (backend, inputs, attrs) => {
    const geometry = ofForward(inputs, attrs);
    return isDilated(geometry) ? dilated(inputs, geometry, conv2d) : convForward(backend, inputs, geometry);
  });
  put<Fused, Attrs & FusedActivation>('FusedConv2D', (backend, inputs, attrs) => {
    const geometry = ofForward(inputs, attrs);
    const { activation = 'linear' } = attrs;
    const isPerChannel = !inputs.bias || inputs.bias.shape.join() === `${inputs.filter.shape[3]}`;
    if (isDilated(geometry) || !isPerChannel || !['linear', 'relu'].includes(activation))
      return unfused(inputs, attrs, conv2d);
    return convForward(backend, inputs, { ...geometry, relu: activation === 'relu' });
  });
  put<{ dy: TensorInfo; filter: TensorInfo }, Attrs & { inputShape: Shape4D }>(
    'Conv2DBackpropInput',
    (backend, inputs, { inputShape, ...attrs }) =>
      convInputGrad(backend, inputs, geometryOf({ inputShape, filterShape: inputs.filter.shape as Shape4D }, attrs)),
  );
  put<{ x: TensorInfo; dy: TensorInfo }, Attrs & { filterShape: Shape4D }>(
    'Conv2DBackpropFilter',
    (backend, inputs, { filterShape, ...attrs }) =>
      convFilterGrad(backend, inputs, geometryOf({ inputShape: inputs.x.shape as Shape4D, filterShape }, attrs)),
  );
}

/** Convolutions of each channel, of which the backend has no gradients. */
function putPerChannel(): void {
  put<Images, Attrs>('DepthwiseConv2dNative', (backend, inputs, attrs) => {
    const geometry = ofForward(inputs, attrs, true);
    return isDilated(geometry)
      ? dilated(inputs, geometry, depthwiseConv2d)
      : depthwiseForward(backend, inputs, geometry);
  });
  put<Fused, Attrs & FusedActivation>('FusedDepthwiseConv2D', (_, inputs, attrs) =>
    unfused(inputs, attrs, depthwiseConv2d),
  );
  put<{ dy: TensorInfo; filter: TensorInfo }, Attrs & { inputShape: Shape4D }>(
    'DepthwiseConv2dNativeBackpropInput',
    (backend, inputs, { inputShape, ...attrs }) => {
      const shapes = { inputShape, filterShape: inputs.filter.shape as Shape4D, depthwise: true };
      return depthwiseInputGrad(backend, inputs, geometryOf(shapes, attrs));
    },
  );
  put<{ x: TensorInfo; dy: TensorInfo }, Attrs & { filterShape: Shape4D }>(
    'DepthwiseConv2dNativeBackpropFilter',
    (backend, inputs, { filterShape, ...attrs }) => {
      const shapes = { inputShape: inputs.x.shape as Shape4D, filterShape, depthwise: true };
      return depthwiseFilterGrad(backend, inputs, geometryOf(shapes, attrs));
    },
  );
}

/** Registers right kernels under TensorFlow.js's own names, so that its layers compute with them. */
export function putStockConvolutions(): void {
  putAcrossChannels();
  putPerChannel();
}
