import {
  add,
  getKernel,
  minimum,
  mul,
  registerKernel,
  relu,
  reshape,
  tensor1d,
  tidy,
  unregisterKernel,
} from '@tensorflow/tfjs-core';
import type { NamedAttrMap, Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import type { Conv2DAttrs, Conv2DFilterGradAttrs, Conv2DInputGradAttrs } from '@bulwark/core/engine';
import type { NodeBackend } from './binding.js';
import { convolution, filterGradient, inputGradient, stock, symmetric } from './convolution.js';
import type { Shape4D } from './convolution.js';
import { batchNormAttributes } from './ops.js';
import type { OwnConvolution } from './own-convolution.js';

/** A kernel's tensors, under the names that its op gives them. */
type Inputs = Record<
  'x' | 'y' | 'alpha' | 'dy' | 'filter' | 'gamma' | 'beta' | 'mean' | 'variance' | 'logits' | 'targets',
  Tensor
>;
type Compute = (backend: NodeBackend, inputs: Inputs, attrs: NamedAttrMap) => Tensor | Tensor[];

/** Registers (or replaces) a kernel of the `tensorflow` backend; whatever it makes and does not return is freed. */
function put(kernelName: string, compute: Compute): void {
  const backendName = 'tensorflow';
  if (getKernel(kernelName, backendName)) unregisterKernel(kernelName, backendName);
  registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, backend, attrs }) =>
      tidy(() => compute(backend as NodeBackend, inputs as unknown as Inputs, attrs ?? {})),
  });
}

/** FusedBatchNorm knows images only: [..., channels] becomes [rows, 1, 1, channels]. */
const asImages = (x: Tensor): Tensor =>
  x.rank === 4 ? x : reshape(x, [x.size / x.shape.at(-1)!, 1, 1, x.shape.at(-1)!]);
const like = (x: Tensor, images: Tensor): Tensor => (x.rank === 4 ? images : reshape(images, x.shape));

interface Epsilon {
  readonly epsilon: number;
}

function batchNormTrain(backend: NodeBackend, { x, gamma, beta }: Inputs, { epsilon }: Epsilon): Tensor[] {
  const none = tensor1d([], 'float32');
  const inputs = [asImages(x), gamma, beta, none, none];
  const outputs = backend.executeMultipleOutputs(
    'FusedBatchNormV3',
    batchNormAttributes(backend.binding, { epsilon, training: true }),
    inputs,
    6,
  );
  const [y, mean, unbiased] = outputs as [Tensor, Tensor, Tensor];
  const count = x.size / gamma.size;
  const variance =
    count > 1
      ? backend.executeSingleOutput('Mul', floatAttribute(backend), [unbiased, tensor1d([(count - 1) / count])])
      : unbiased;
  return [like(x, y), mean, variance];
}

function batchNormTrainGrad(
  backend: NodeBackend,
  { dy, x, gamma, mean, variance }: Inputs,
  { epsilon }: Epsilon,
): Tensor[] {
  // cuDNN saves 1 / standard deviation between the passes where the CPU op saves the variance.
  const spread = backend.binding.isUsingGpuDevice() ? inverseDeviation(backend, variance, epsilon) : variance;
  const inputs = [asImages(dy), asImages(x), gamma, mean, spread, tensor1d([], 'float32')];
  const outputs = backend.executeMultipleOutputs(
    'FusedBatchNormGradV3',
    batchNormAttributes(backend.binding, { epsilon, training: true }),
    inputs,
    5,
  );
  return [like(x, outputs[0]!), outputs[1]!, outputs[2]!];
}

const floatAttribute = (backend: NodeBackend) => [
  { name: 'T', type: backend.binding.TF_ATTR_TYPE, value: backend.binding.TF_FLOAT },
];

function inverseDeviation(backend: NodeBackend, variance: Tensor, epsilon: number): Tensor {
  const sum = backend.executeSingleOutput('AddV2', floatAttribute(backend), [variance, tensor1d([epsilon])]);
  return backend.executeSingleOutput('Rsqrt', floatAttribute(backend), [sum]);
}

function batchNormEval(backend: NodeBackend, { x, gamma, beta, mean, variance }: Inputs, { epsilon }: Epsilon): Tensor {
  const inputs = [asImages(x), gamma, beta, mean, variance];
  const outputs = backend.executeMultipleOutputs(
    'FusedBatchNormV3',
    batchNormAttributes(backend.binding, { epsilon, training: false }),
    inputs,
    6,
  );
  return like(x, outputs[0]!);
}

/**
 * Registers Bulwark's kernels for the `tensorflow` backend and repairs the stock convolution and its gradients,
 * which refuse numeric padding although the native ops take it. Safe to call again.
 * @param options fusedBatchNorm: false leaves BatchNorm to its composed form, for a library whose fused op is wrong; own: where there are
 * ops of ours for convolutions
 */
export function registerTensorflowKernels({
  fusedBatchNorm,
  own,
}: {
  fusedBatchNorm: boolean;
  own?: OwnConvolution | undefined;
}): void {
  put('BulwarkConv2D', (backend, inputs, attrs) =>
    convolution({ backend, own }, inputs, symmetric(attrs as unknown as Conv2DAttrs)),
  );
  put('BulwarkConv2DInputGrad', (backend, inputs, attrs) => {
    const { inputShape, ...rest } = attrs as unknown as Conv2DInputGradAttrs;
    return inputGradient({ backend, own }, inputs, { ...symmetric(rest), inputShape });
  });
  put('BulwarkConv2DFilterGrad', (backend, inputs, attrs) => {
    const { filterShape, ...rest } = attrs as unknown as Conv2DFilterGradAttrs;
    return filterGradient({ backend, own }, inputs, { ...symmetric(rest), filterShape });
  });
  put('Conv2D', (backend, inputs, attrs) =>
    convolution(
      { backend, own },
      inputs,
      stock((inputs.x as Tensor4D).shape, (inputs.filter as Tensor4D).shape, attrs),
    ),
  );
  put('Conv2DBackpropInput', (backend, inputs, attrs) => {
    const inputShape = attrs.inputShape as Shape4D;
    return inputGradient({ backend, own }, inputs, {
      ...stock(inputShape, (inputs.filter as Tensor4D).shape, attrs),
      inputShape,
    });
  });
  put('Conv2DBackpropFilter', (backend, inputs, attrs) => {
    const filterShape = attrs.filterShape as Shape4D;
    return filterGradient({ backend, own }, inputs, {
      ...stock((inputs.x as Tensor4D).shape, filterShape, attrs),
      filterShape,
    });
  });
  put('BulwarkRelu', (backend, { x }) => backend.executeSingleOutput('Relu', floatAttribute(backend), [x]));
  put('BulwarkReluGrad', (backend, { dy, y }) =>
    backend.executeSingleOutput('ReluGrad', floatAttribute(backend), [dy, y]),
  );
  // the stock one calls methods of tensors that tfjs-core does not have by itself
  put('Prelu', (_backend, { x, alpha }) => add(relu(x), mul(alpha, minimum(x, 0))));
  put('BulwarkLogSoftmax', (backend, { logits }) =>
    backend.executeSingleOutput('LogSoftmax', floatAttribute(backend), [logits]),
  );
  put('BulwarkCrossEntropy', (backend, { logits, targets }) => {
    // the dense form: the sparse one refuses labels of -1
    const outputs = backend.executeMultipleOutputs(
      'SoftmaxCrossEntropyWithLogits',
      floatAttribute(backend),
      [logits, targets],
      2,
    );
    return outputs[0]!;
  });
  if (!fusedBatchNorm) return;
  put('BulwarkBatchNormTrain', (backend, inputs, attrs) =>
    batchNormTrain(backend, inputs, attrs as unknown as Epsilon),
  );
  put('BulwarkBatchNormTrainGrad', (backend, inputs, attrs) =>
    batchNormTrainGrad(backend, inputs, attrs as unknown as Epsilon),
  );
  put('BulwarkBatchNormEval', (backend, inputs, attrs) => batchNormEval(backend, inputs, attrs as unknown as Epsilon));
}
