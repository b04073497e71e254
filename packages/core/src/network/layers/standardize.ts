import { add, div, greater, mean, maximum, mul, sqrt, square, sub, sum, where, zerosLike } from '../../tensor/index.js';
import type { Tensor } from '../../tensor/index.js';
import { defineLayer, type NodeId } from '../layer.js';
import { notStock } from './squeeze-excitation.js';

export interface StandardizeNode {
  readonly op: 'standardize';
  readonly input: NodeId;
}

const axes = [1, 2, 3];

/** Of each image: the centred values, their unbiased deviation, the lowest that it may be, and how many values there are. */
function statistics(x: Tensor) {
  const count = x.shape.slice(1).reduce((size, n) => size * n, 1);
  const centred = sub(x, mean(x, axes, true));
  const deviation = sqrt(div(sum(square(centred), axes, true), count - 1));
  return { centred, deviation, least: 1 / Math.sqrt(count), count };
}

/** Every image minus its own mean, divided by its own deviation, which counts as at least 1 / sqrt(values): TensorFlow's per-image standardisation. */
export const standardize = defineLayer<StandardizeNode, [input: NodeId]>({
  op: 'standardize',
  node: (from) => ({ input: from }),
  shape: (_node, [shape]) => shape!,
  forward: (_node, [x]) => {
    const { centred, deviation, least } = statistics(x!);
    return { y: div(centred, maximum(deviation, least)), residuals: [x!] };
  },
  backward: (_node, dy, { residuals: [x] }) => {
    const { centred, deviation, least, count } = statistics(x!);
    const divisor = maximum(deviation, least);
    const dCentred = sub(dy, mean(dy, axes, true));
    // through the deviation, where it is not the constant floor
    const through = mul(centred, div(sum(mul(dy, centred), axes, true), mul(square(divisor), count - 1)));
    const floored = where(greater(deviation, least), through, zerosLike(add(through, 0)));
    return { inputs: [div(sub(dCentred, floored), divisor)] };
  },
  stockLayers: () => {
    throw notStock('standardisation of each image');
  },
  onnx: (_node, [x], { op, constant, shapes }) => {
    const count = shapes[0]!.reduce((size, n) => size * n, 1);
    const number = (name: string, of: number) => constant(`standardize.${name}`, Float32Array.of(of));
    const mean = (of: string) => op('ReduceMean', [of], { axes, keepdims: 1 });
    const centred = op('Sub', [x!, mean(x!)]);
    const variance = op('Mul', [mean(op('Mul', [centred, centred])), number('bessel', count / (count - 1))]);
    return op('Div', [centred, op('Max', [op('Sqrt', [variance]), number('least', 1 / Math.sqrt(count))])]);
  },
});
