import { add, matMul, mean, mul, relu, reshape, sigmoid, step, sub, sum } from '../../tensor/index.js';
import type { Tensor, Tensor2D } from '../../tensor/index.js';
import { BulwarkError } from '../../errors.js';
import { defineLayer, type LayerContext, type NodeId, type VariableSpec } from '../layer.js';
import { uniformFanIn } from '../start.js';

export interface SqueezeExcitationNode {
  readonly op: 'squeeze-excitation';
  readonly name: string;
  readonly input: NodeId;
  /** Channels between the two linear maps. */
  readonly squeezed: number;
}

/** The two 1x1 convolutions as matrices `[in, out]`. */
function matrices({ name }: SqueezeExcitationNode, { value }: LayerContext) {
  const matrix = (layer: string) => {
    const kernel = value(`${name}.${layer}.weight`);
    return reshape(kernel, [kernel.shape[2]!, kernel.shape[3]!]) as Tensor2D;
  };
  return { w1: matrix('fc1'), b1: value(`${name}.fc1.bias`), w2: matrix('fc2'), b2: value(`${name}.fc2.bias`) };
}

/** Everything between the image and the gate `[batch, channels]`. */
function gateOf(node: SqueezeExcitationNode, x: Tensor, context: LayerContext) {
  const { w1, b1, w2, b2 } = matrices(node, context);
  const pooled = mean(x, [1, 2]) as Tensor2D;
  const hidden = add(matMul(pooled, w1), b1) as Tensor2D;
  const active = relu(hidden) as Tensor2D;
  return { pooled, hidden, active, gate: sigmoid(add(matMul(active, w2), b2)) as Tensor2D, w1, w2 };
}

const onImage = (gate: Tensor): Tensor => reshape(gate, [gate.shape[0]!, 1, 1, gate.shape[1]!]);

/** `x * sigmoid(W2 relu(W1 mean(x) + b1) + b2)`, a gate for each channel (Hu et al., 2018; arXiv:1709.01507). */
export const squeezeExcitation = defineLayer<
  SqueezeExcitationNode,
  [name: string, input: NodeId, options: { squeezed: number }]
>({
  op: 'squeeze-excitation',
  node: (name, from, { squeezed }) => ({ name, input: from, squeezed }),
  shape: (_node, [shape]) => shape!,
  variables: ({ name, squeezed }, input) => {
    const channels = input.at(-1)!;
    const layer = (part: string, from: number, to: number): VariableSpec[] => [
      { name: `${name}.${part}.weight`, shape: [1, 1, from, to], trainable: true, start: uniformFanIn(from) },
      { name: `${name}.${part}.bias`, shape: [to], trainable: true, start: uniformFanIn(from) },
    ];
    return [...layer('fc1', channels, squeezed), ...layer('fc2', squeezed, channels)];
  },
  multiplyAccumulates: ({ squeezed }, { input }) => 2 * squeezed * input.at(-1)!,
  forward: (node, [x], context) => ({ y: mul(x!, onImage(gateOf(node, x!, context).gate)), residuals: [x!] }),
  backward: (node, dy, context) => {
    const [x] = context.residuals as [Tensor];
    const { pooled, hidden, active, gate, w1, w2 } = gateOf(node, x, context);
    const dGate = sum(mul(dy, x), [1, 2]);
    const dOut = mul(dGate, mul(gate, sub(1, gate))) as Tensor2D;
    const dHidden = mul(matMul(dOut, w2, false, true), step(hidden)) as Tensor2D;
    const [, height, width] = x.shape as [number, number, number, number];
    const dPooled = matMul(dHidden, w1, false, true);
    const { name } = node;
    const kernel = (gradient: Tensor) => reshape(gradient, [1, 1, ...gradient.shape]);
    return {
      ...(context.wrtInputs && {
        inputs: [add(mul(dy, onImage(gate)), onImage(mul(dPooled, 1 / (height * width))))],
      }),
      ...(context.wrtParameters && {
        parameters: {
          [`${name}.fc1.weight`]: kernel(matMul(pooled, dHidden, true, false)),
          [`${name}.fc1.bias`]: sum(dHidden, 0),
          [`${name}.fc2.weight`]: kernel(matMul(active, dOut, true, false)),
          [`${name}.fc2.bias`]: sum(dOut, 0),
        },
      }),
    };
  },
  stockLayers: ({ name }) => {
    throw notStock(`squeeze and excitation ${name}`);
  },
  onnx: ({ name }, [x], { op, tensor, value }) => {
    const layer = (part: string, input: string) =>
      op('Conv', [
        input,
        tensor(`${name}.${part}.weight`, value(`${name}.${part}.weight`), [3, 2, 0, 1]),
        tensor(`${name}.${part}.bias`, value(`${name}.${part}.bias`)),
      ]);
    const hidden = op('Relu', [layer('fc1', op('GlobalAveragePool', [x!]))]);
    return op('Mul', [x!, op('Sigmoid', [layer('fc2', hidden)])]);
  },
});

/** What an export to stock layers gets of a layer that they do not have. */
export const notStock = (what: string): BulwarkError =>
  new BulwarkError('MODEL_INVALID', `${what} is not a layer that TensorFlow.js Layers has`, {
    hint: 'export the model --to safetensors',
  });
