import type { Node } from '../../../classifier/graph.js';
import type { Step } from '../../../classifier/plan.js';
import { symmetric } from '../convolution.js';
import { typeOf } from './attributes.js';
import { batchShape, type TracedLayer, type Tracing } from './layer.js';
import { convolutionAttributes, paddingOf, sizesLike, type Value } from './nodes.js';

type Convolution = Node & { op: 'conv' };

const float = typeOf('float');

/** Filter and bias with the BatchNorm that follows multiplied into them: s w and s (b - mean) + beta, s = gamma / sqrt(var + epsilon). */
function folded(tracing: Tracing, node: Convolution, norm: string, shape: readonly number[]) {
  const { graph, weight, ofWeights } = tracing;
  const perChannel = (name: string) => weight(name, [node.filters]);
  const scale = () => {
    const deviation = graph.float('AddV2', perChannel(`${norm}.running_var`), graph.floats([1], [tracing.epsilon]));
    return graph.float('Mul', perChannel(`${norm}.weight`), graph.float('Rsqrt', deviation));
  };
  const bias = () => {
    const mean = perChannel(`${norm}.running_mean`);
    const centre = node.bias ? graph.float('Sub', perChannel(`${node.name}.bias`), mean) : graph.float('Neg', mean);
    return graph.float('AddV2', graph.float('Mul', centre, scale()), perChannel(`${norm}.bias`));
  };
  return {
    filter: ofWeights(() => graph.float('Mul', weight(`${node.name}.weight`, shape), scale()), shape),
    bias: ofWeights(bias, [node.filters]),
  };
}

/** The gradient in the images. Explicit padding is slow there (see ops.ts), so such images are padded, and the result cut. */
function inputGradient(tracing: Tracing, node: Convolution, { dy, filter }: { dy: Value; filter: Value }): Value {
  const { graph, network } = tracing;
  const [height, width, channels] = network.shapes[node.input] as [number, number, number];
  const geometry = symmetric(node);
  const name = paddingOf(geometry, [height, width, channels], node.kernel);
  const gradient = (image: readonly number[], padding: 'SAME' | 'VALID') =>
    graph.op(
      'Conv2DBackpropInput',
      [sizesLike(graph, dy, image), filter, dy],
      convolutionAttributes(geometry, padding),
    );
  if (name !== 'EXPLICIT') return gradient([height, width, channels], name);
  const margin = node.padding;
  const padded = gradient([height + 2 * margin, width + 2 * margin, channels], 'VALID');
  const part = [graph.integers([0, margin, margin, 0]), graph.integers([-1, height, width, channels])];
  return graph.op('Slice', [padded, ...part], { T: float, Index: typeOf('int') });
}

/** A convolution, with BatchNorm in its weights and a ReLU on its output where the plan has put them. */
export function convolutionLayer(tracing: Tracing, node: Convolution, { id, norm, relu }: Step): TracedLayer {
  const { graph, network, weight, at, kept } = tracing;
  const image = network.shapes[node.input]!;
  const shape = [node.kernel, node.kernel, image.at(-1)!, node.filters];
  const filterName = `${node.name}.weight`;
  const fold = norm === undefined ? undefined : folded(tracing, node, norm, shape);
  const filter = fold?.filter ?? weight(filterName, shape);
  const bias = fold?.bias ?? (node.bias ? weight(`${node.name}.bias`, [node.filters]) : undefined);

  const geometry = symmetric(node);
  const attributes = convolutionAttributes(geometry, paddingOf(geometry, image, node.kernel));
  const y = graph.op('Conv2D', [at(node.input), filter], attributes);
  const biased = bias === undefined ? y : graph.op('BiasAdd', [y, bias], { T: float });
  const output = relu ? graph.float('Relu', biased) : biased;
  return {
    output,
    gradient(dOutput) {
      const dy = relu ? graph.float('ReluGrad', dOutput, kept(output, batchShape(tracing, id))) : dOutput;
      // the weights may be others by then
      const used = fold ? kept(graph.float('Identity', filter), shape) : weight(filterName, shape);
      return [[node.input, inputGradient(tracing, node, { dy, filter: used })]];
    },
  };
}
