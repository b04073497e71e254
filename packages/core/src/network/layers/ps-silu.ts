import { abs, add, div, mul, reshape, sigmoid, sub, sum } from '../../tensor/index.js';
import type { Tensor } from '../../tensor/index.js';
import { signOf } from '../../ops/index.js';
import { defineLayer, type LayerContext, type NodeId } from '../layer.js';
import { notStock } from './squeeze-excitation.js';

export interface PsSiluNode {
  readonly op: 'ps-silu';
  /** Nodes of one name share their two parameters. */
  readonly name: string;
  readonly input: NodeId;
}

function parts({ name }: PsSiluNode, x: Tensor, { value }: LayerContext) {
  const [alpha, beta] = [value(`${name}.alpha`), value(`${name}.beta`)];
  return { alpha, beta, s: sigmoid(mul(abs(alpha), x)), shift: abs(beta), rest: sub(1, abs(beta)) };
}

/** `x (sigmoid(|alpha| x) - |beta|) / (1 - |beta|)` with learned alpha and beta (Dai et al., 2022; arXiv:2110.05626). */
export const psSilu = defineLayer<PsSiluNode, [name: string, input: NodeId]>({
  op: 'ps-silu',
  node: (name, from) => ({ name, input: from }),
  shape: (_node, [shape]) => shape!,
  variables: ({ name }) => [
    // as the official code: at 0 itself the derivative of |beta| is 0, and beta would stay there for ever
    { name: `${name}.beta`, shape: [1], trainable: true, start: { constant: 1e-8 } },
    { name: `${name}.alpha`, shape: [1], trainable: true, start: { constant: 1 } },
  ],
  forward: (node, [x], context) => {
    const { s, shift, rest } = parts(node, x!, context);
    return { y: div(mul(x!, sub(s, shift)), rest), residuals: [x!] };
  },
  backward: (node, dy, context) => {
    const [x] = context.residuals as [Tensor];
    const { alpha, beta, s, shift, rest } = parts(node, x, context);
    const slope = mul(s, sub(1, s));
    const inner = add(sub(s, shift), mul(mul(abs(alpha), x), slope));
    const total = (of: Tensor) => reshape(sum(of), [1]);
    return {
      inputs: [div(mul(dy, inner), rest)],
      ...(context.wrtParameters && {
        parameters: {
          [`${node.name}.alpha`]: mul(signOf(alpha), total(div(mul(dy, mul(mul(x, x), slope)), rest))),
          // d/d|beta| of (s - |beta|) / (1 - |beta|) is (s - 1) / (1 - |beta|)^2
          [`${node.name}.beta`]: mul(signOf(beta), total(div(mul(dy, mul(x, sub(s, 1))), mul(rest, rest)))),
        },
      }),
    };
  },
  stockLayers: ({ name }) => {
    throw notStock(`PSSiLU ${name}`);
  },
  onnx: ({ name }, [x], { op, constant, value }) => {
    const [alpha, beta] = ['alpha', 'beta'].map((part) => Math.abs(value(`${name}.${part}`).dataSync()[0]!));
    const number = (part: string, of: number) => constant(`${name}.${part}`, Float32Array.of(of));
    const gate = op('Sigmoid', [op('Mul', [x!, number('alpha', alpha!)])]);
    const shifted = op('Mul', [x!, op('Sub', [gate, number('shift', beta!)])]);
    return op('Div', [shifted, number('rest', 1 - beta!)]);
  },
});
