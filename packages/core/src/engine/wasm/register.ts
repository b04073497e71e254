import { backend_util, registerKernel, unregisterKernel, util } from '../../tensor/index.js';
import type { TensorInfo } from '../../tensor/index.js';
import { BulwarkError } from '../../errors.js';
import type { Conv2DAttrs, Conv2DFilterGradAttrs, Conv2DInputGradAttrs } from '../../ops/index.js';
import { composedKernels, registerComposedKernels } from '../composed/index.js';
import { arithmetic, sharedArithmetic } from './arithmetic.js';
import { convFilterGrad } from './conv2d-filter-gradient.js';
import { convForward } from './conv2d-forward.js';
import { convInputGrad } from './conv2d-input-gradient.js';
import type { ConvGeometry, Shape4D } from './convolution-layout.js';
import { putGather } from './gather.js';
import type { SharedKernel } from './helper.js';
import { addressOf, allocate, FLOAT_WORK, floatBits, kernelsOn } from './module.js';
import type { WasmBackend } from './module.js';
import { put } from './put.js';
import { segmentSum } from './segment-sum.js';
import { putStockConvolutions } from './stock-convolutions.js';
import { BLOCK, putStockElementwise } from './stock-elementwise.js';
import { normEval, normEvalInputGrad, normTrain, normTrainGrad } from './norm.js';

type Infos = Record<string, TensorInfo>;

const geometryOf = ({ stride, padding }: Conv2DAttrs): ConvGeometry => ({
  strides: [stride, stride],
  top: padding,
  left: padding,
});

function putConvolutions(): void {
  const forward =
    (relu: boolean) =>
    (backend: WasmBackend, inputs: { x: TensorInfo; filter: TensorInfo; bias?: TensorInfo }, attrs: Conv2DAttrs) => {
      const [, height, width] = inputs.x.shape as Shape4D;
      const [kernelHeight, kernelWidth] = inputs.filter.shape as Shape4D;
      const outSize = (size: number, kernel: number): number =>
        Math.floor((size + 2 * attrs.padding - kernel) / attrs.stride) + 1;
      const [outHeight, outWidth] = [outSize(height, kernelHeight), outSize(width, kernelWidth)];
      return convForward(backend, inputs, { ...geometryOf(attrs), outHeight, outWidth, relu });
    };
  put('BulwarkConv2D', forward(false));
  put('BulwarkConv2DBias', forward(false));
  put('BulwarkConv2DBiasRelu', forward(true));
  put<{ dy: TensorInfo; filter: TensorInfo }, Conv2DInputGradAttrs>(
    'BulwarkConv2DInputGrad',
    (backend, inputs, attrs) => convInputGrad(backend, inputs, { ...geometryOf(attrs), inputShape: attrs.inputShape }),
  );
  put<{ x: TensorInfo; dy: TensorInfo }, Conv2DFilterGradAttrs>('BulwarkConv2DFilterGrad', (backend, inputs, attrs) =>
    convFilterGrad(backend, inputs, { ...geometryOf(attrs), filterShape: attrs.filterShape }),
  );
}

function putNormalisation(): void {
  type Epsilon = { epsilon: number };
  put<Parameters<typeof normTrain>[1], Epsilon>('BulwarkBatchNormTrain', (backend, inputs, { epsilon }) =>
    normTrain(backend, inputs, epsilon),
  );
  put<Parameters<typeof normTrainGrad>[1], Epsilon>('BulwarkBatchNormTrainGrad', (backend, inputs, { epsilon }) =>
    normTrainGrad(backend, inputs, epsilon),
  );
  put<Parameters<typeof normEval>[1], Epsilon>('BulwarkBatchNormEval', (backend, inputs, { epsilon }) =>
    normEval(backend, inputs, epsilon),
  );
  put<Parameters<typeof normEvalInputGrad>[1], Epsilon>(
    'BulwarkBatchNormEvalInputGrad',
    (backend, inputs, { epsilon }) => normEvalInputGrad(backend, inputs, epsilon),
  );
}

/** A kernel over equally shaped tensors, at most three, and at most two options. */
function putElementwise(
  kernelName: string,
  { kernel, names, options = [] }: { kernel: SharedKernel; names: string[]; options?: string[] },
): void {
  put<Infos, Record<string, number>>(kernelName, (backend, inputs, attrs) => {
    const shape = inputs[names[0]!]!.shape;
    for (const name of names) {
      const found = inputs[name]!.shape;
      if (util.arraysEqual(found, shape)) continue;
      throw new BulwarkError(
        'BATCH_INVALID',
        `${kernelName}: ${name} has shape [${found.join(', ')}]; allowed: [${shape.join(', ')}]`,
      );
    }
    const size = shape.reduce((product, side) => product * side, 1);
    const addresses = [0, 1, 2].map((place) =>
      names[place] === undefined ? 0 : addressOf(backend, inputs[names[place]]!),
    );
    const output = allocate(backend, shape);
    const parameters = [...addresses, addressOf(backend, output), size, BLOCK];
    kernelsOn(backend).share(kernel, [...parameters, ...options.map((option) => floatBits(attrs[option]!))], {
      units: Math.ceil(size / BLOCK),
      work: size * (names.length + 1) * FLOAT_WORK,
    });
    return output;
  });
}

/**
 * TensorFlow.js's own Identity copies the values, and a tape clones every tensor that it saves; sharing them, as all other
 * backends do, halves the memory of a training step.
 */
function putIdentity(): void {
  put<{ x: TensorInfo }, unknown>('Identity', (backend, { x }) => {
    backend.incRef(x.dataId);
    return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
  });
}

/** Max pooling's gradient; the backend's own loses windows without a positive value. */
function putMaxPoolGrad(): void {
  type Attrs = {
    filterSize: [number, number] | number;
    strides: [number, number] | number;
    pad: number;
    dimRoundingMode?: 'floor';
  };
  put<{ dy: TensorInfo; input: TensorInfo }, Attrs>(
    'MaxPoolGrad',
    (backend, { dy, input }, { filterSize, strides, pad, dimRoundingMode }) => {
      const info = backend_util.computePool2DInfo(input.shape as Shape4D, filterSize, strides, 1, pad, dimRoundingMode);
      const dx = allocate(backend, input.shape);
      const parameters = [
        ...[input, dy, dx].map((tensor) => addressOf(backend, tensor)),
        ...[info.inHeight, info.inWidth, info.inChannels, info.outHeight, info.outWidth],
        ...[info.strideHeight, info.strideWidth, info.filterHeight, info.filterWidth],
        ...[info.padInfo.top, info.padInfo.left],
      ];
      const floats = info.batchSize * info.inHeight * info.inWidth * info.inChannels;
      kernelsOn(backend).share('maxPoolGradUnit', parameters, {
        units: info.batchSize,
        work: 3 * floats * FLOAT_WORK,
      });
      return dx;
    },
  );
}

/** The means of global average pooling, and their gradient. */
function putSpatialMean(): void {
  const run = (
    kernel: 'spatialMeanUnit' | 'spatialMeanGradUnit',
    backend: WasmBackend,
    { images, means }: { images: TensorInfo; means: TensorInfo },
  ): void => {
    const [batch, height, width, channels] = images.shape as Shape4D;
    const unitImages = Math.ceil(BLOCK / (height * width * channels));
    const parameters = [
      addressOf(backend, images),
      addressOf(backend, means),
      batch,
      height * width,
      channels,
      unitImages,
    ];
    const work = batch * height * width * channels * FLOAT_WORK;
    kernelsOn(backend).share(kernel, parameters, { units: Math.ceil(batch / unitImages), work });
  };
  put<{ x: TensorInfo }, unknown>('BulwarkSpatialMean', (backend, { x }) => {
    const [batch, , , channels] = x.shape as Shape4D;
    const means = allocate(backend, [batch, channels]);
    run('spatialMeanUnit', backend, { images: x, means });
    return means;
  });
  put<{ dy: TensorInfo }, { height: number; width: number }>(
    'BulwarkSpatialMeanGrad',
    (backend, { dy }, { height, width }) => {
      const [batch, channels] = dy.shape as [number, number];
      const images = allocate(backend, [batch, height, width, channels]);
      run('spatialMeanGradUnit', backend, { images, means: dy });
      return images;
    },
  );
}

let replaced = false;
/** The backend's own arithmetic computes on one thread. */
function putArithmetic(): void {
  if (replaced) return;
  replaced = true;
  for (const name of Object.keys(arithmetic) as (keyof typeof arithmetic)[]) {
    const shared = sharedArithmetic(name);
    unregisterKernel(name, 'wasm');
    registerKernel(shared);
  }
}

/** The gradient of `tf.gather`. */
function putSegmentSum(): void {
  put<{ x: TensorInfo; segmentIds: TensorInfo }, { numSegments: number }>(
    'UnsortedSegmentSum',
    (backend, inputs, { numSegments }) => segmentSum(backend, { x: inputs.x, ids: inputs.segmentIds }, numSegments),
  );
}

/** Kernels that the backend has wrong or not at all. */
function putComposed(): void {
  const { parametricRelu, volumes } = composedKernels;
  registerComposedKernels('wasm', [...parametricRelu, ...volumes]);
}

/** Registers Bulwark's kernels for the `wasm` backend; safe to call again. */
export function registerWasmKernels(): void {
  putConvolutions();
  putStockConvolutions();
  putNormalisation();
  putComposed();
  putIdentity();
  putGather();
  putSegmentSum();
  putMaxPoolGrad();
  putSpatialMean();
  putArithmetic();
  putStockElementwise();
  putElementwise('BulwarkRelu', { kernel: 'reluUnit', names: ['x'] });
  putElementwise('BulwarkReluGrad', { kernel: 'reluGradUnit', names: ['dy', 'y'] });
  putElementwise('BulwarkSignOf', { kernel: 'signOfUnit', names: ['x'] });
  putElementwise('BulwarkSignStep', {
    kernel: 'signStepUnit',
    names: ['x', 'g', 'origin'],
    options: ['stepSize', 'epsilon'],
  });
}
