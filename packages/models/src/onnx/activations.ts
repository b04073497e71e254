import type { OnnxValue } from '@bulwark/core';
import { notInOnnx, type LayerUse } from './layer-use.js';

type Activation = (x: OnnxValue, use: LayerUse) => OnnxValue;

const operator =
  (type: string): Activation =>
  (x, { graph }) =>
    graph.op(type, [x]);

const number = ({ graph }: LayerUse, value: number) => graph.constant(`number.${value}`, Float32Array.of(value), []);

/** x (1 + erf(x / sqrt 2)) / 2. */
const gelu: Activation = (x, use) => {
  const { op } = use.graph;
  const erf = op('Erf', [op('Mul', [x, number(use, Math.SQRT1_2)])]);
  return op('Mul', [op('Mul', [x, number(use, 0.5)]), op('Add', [erf, number(use, 1)])]);
};

const activations: Readonly<Record<string, Activation>> = {
  linear: (x) => x,
  relu: operator('Relu'),
  relu6: (x, use) => use.graph.op('Clip', [x, number(use, 0), number(use, 6)]),
  elu: operator('Elu'),
  selu: operator('Selu'),
  sigmoid: operator('Sigmoid'),
  // max(0, min(1, 0.2 x + 0.5)): the defaults of ONNX, too
  hardSigmoid: operator('HardSigmoid'),
  tanh: operator('Tanh'),
  softplus: operator('Softplus'),
  softsign: operator('Softsign'),
  swish: (x, { graph }) => graph.op('Mul', [x, graph.op('Sigmoid', [x])]),
  mish: (x, { graph }) => graph.op('Mul', [x, graph.op('Tanh', [graph.op('Softplus', [x])])]),
  gelu,
  // over the channels, which come second
  softmax: (x, { graph }) => graph.op('Softmax', [x], { axis: 1 }),
  logSoftmax: (x, { graph }) => graph.op('LogSoftmax', [x], { axis: 1 }),
};

/** Writes an activation by the name that TensorFlow.js has for it. @throws BulwarkError MODEL_INVALID */
export function activation(name: string, x: OnnxValue, use: LayerUse): OnnxValue {
  const write = Object.hasOwn(activations, name) ? activations[name] : undefined;
  if (!write) throw notInOnnx(use.layer, `the activation ${name} cannot be written as ONNX`);
  return write(x, use);
}
