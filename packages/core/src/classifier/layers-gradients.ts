import { ones, transpose } from '../tensor/index.js';
import type { Tensor } from '../tensor/index.js';
import { sameMargins, undilated } from '../ops/index.js';
import { only, replaceCall, type Interception, type Layer, type Undo } from './layers-intercept.js';

/** A convolution as tfjs-layers keeps it; its `call` reads these at every run. */
interface DilatedLayer extends Layer {
  dilationRate: number[];
  dataFormat: 'channelsFirst' | 'channelsLast';
  padding: 'same' | 'valid';
  readonly kernelSize: number[];
}

const isDilated = (layer: Layer): layer is DilatedLayer => {
  const { dilationRate } = layer as Partial<DilatedLayer>;
  return Array.isArray(dilationRate) && dilationRate.some((rate) => rate > 1);
};

const firstToLast = (rank: number): number[] => [0, ...Array.from({ length: rank - 2 }, (_, axis) => axis + 2), 1];
const lastToFirst = (rank: number): number[] => [
  0,
  rank - 1,
  ...Array.from({ length: rank - 2 }, (_, axis) => axis + 1),
];

/** Runs `use` while the layer is an ordinary convolution without padding; bias and activation are per place, so they may stay in it. */
function withoutDilation(layer: DilatedLayer, use: () => Tensor): Tensor {
  const { dilationRate, dataFormat, padding } = layer;
  Object.assign(layer, { dilationRate: dilationRate.map(() => 1), dataFormat: 'channelsLast', padding: 'valid' });
  try {
    return use();
  } finally {
    Object.assign(layer, { dilationRate, dataFormat, padding });
  }
}

function interceptDilation(layer: DilatedLayer, current: Interception): Undo {
  return replaceCall(layer, (original) => (inputs, kwargs) => {
    if (!current.pass) return original(inputs, kwargs);
    const { kernelSize: kernel, dilationRate: dilations, dataFormat, padding } = layer;
    const given = only(inputs);
    const first = dataFormat === 'channelsFirst';
    const x = first ? transpose(given, firstToLast(given.rank)) : given;
    const margins = padding === 'same' ? sameMargins(kernel, dilations) : kernel.map((): [number, number] => [0, 0]);
    const y = withoutDilation(layer, () =>
      undilated(x, { kernel, dilations, margins }, (images) => original(images, kwargs) as Tensor),
    );
    return first ? transpose(y, lastToFirst(y.rank)) : y;
  });
}

/** A layer normalisation, whose `call` reads these at every run. */
interface NormLayer extends Layer {
  scale: boolean;
  gamma: Layer['gamma'];
  readonly axis: number[];
}

/** Without a scale, TensorFlow.js fails as it saves one for the gradient. */
function interceptScale(layer: NormLayer, current: Interception): Undo {
  return replaceCall(layer, (original) => (inputs, kwargs) => {
    if (!current.pass) return original(inputs, kwargs);
    const { shape } = only(inputs);
    const { gamma } = layer;
    Object.assign(layer, { scale: true, gamma: { read: () => ones(layer.axis.map((axis) => shape[axis]!)) } });
    try {
      return original(inputs, kwargs);
    } finally {
      Object.assign(layer, { scale: false, gamma });
    }
  });
}

/** Gives layers their gradients which TensorFlow.js refuses on every engine: dilated convolutions and layer normalisation without scale. */
export function interceptGradients(layer: Layer, current: Interception): Undo {
  if (isDilated(layer)) return interceptDilation(layer, current);
  if (layer.getClassName() === 'LayerNormalization' && !(layer as NormLayer).scale)
    return interceptScale(layer as NormLayer, current);
  return () => undefined;
}
