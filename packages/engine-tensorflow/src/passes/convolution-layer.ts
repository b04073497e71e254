import type { Node } from '@bulwark/core/network';
import { symmetric } from '../convolution.js';
import { integerOf, typeOf } from './attributes.js';
import type { JoinedStep } from './joined-sums.js';
import { batchShape, type TracedLayer, type Tracing } from './layer.js';
import { isOwn, ownFilter } from './own-filter.js';
import { convolutionAttributes, paddingOf, sizesLike, type Value } from './nodes.js';

type Convolution = Node & { op: 'conv' };

/** What a BatchNorm makes of a convolution that it follows. */
export interface Fold {
  /** One number for each filter. */
  scale(): Value;
  /** The filter times such a scale. */
  filter(scale: Value): Value;
  readonly bias: Value;
}

/** Filter and bias with the BatchNorm that follows multiplied into them: s w and s (b - mean) + beta, s = gamma / sqrt(var + epsilon). */
function folded(tracing: Tracing, node: Convolution, norm: string, shape: readonly number[]): Fold {
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
    scale,
    filter: (given) => graph.float('Mul', weight(`${node.name}.weight`, shape), given),
    bias: ofWeights(`${node.name} bias`, bias, [node.filters]),
  };
}

/** What is done to a convolution's output: a bias and other images are added, and it is cut below zero. */
interface Finish {
  readonly bias: Value | undefined;
  readonly other: Value | undefined;
  readonly relu: boolean;
}

/** What a convolution with certain weights does to images, and its gradient to an output's gradient. */
export interface Filter {
  forward(x: Value, finish: Finish): Value;
  gradient(dy: Value): Value;
}

/** The gradient in the images. Explicit padding is slow there (see ops.ts), so such images are padded, and the result cut. */
function inputGradient(tracing: Tracing, node: Convolution, { dy, filter }: { dy: Value; filter: Value }): Value {
  const { graph, network, type } = tracing;
  const [height, width, channels] = network.shapes[node.input] as [number, number, number];
  const geometry = symmetric(node);
  const name = paddingOf(geometry, [height, width, channels], node.kernel);
  const gradient = (image: readonly number[], padding: 'SAME' | 'VALID') =>
    graph.op(
      'Conv2DBackpropInput',
      [sizesLike(graph, { like: dy, type }, image), filter, dy],
      convolutionAttributes(geometry, { padding, type }),
    );
  if (name !== 'EXPLICIT') return gradient([height, width, channels], name);
  const margin = node.padding;
  const padded = gradient([height + 2 * margin, width + 2 * margin, channels], 'VALID');
  const part = [graph.integers([0, margin, margin, 0]), graph.integers([-1, height, width, channels])];
  return graph.op('Slice', [padded, ...part], { T: typeOf(type), Index: typeOf('int') });
}

/** The gradient in the filter; images that TensorFlow would have to pad explicitly are padded before (see ops.ts). */
function filterGradient(tracing: Tracing, node: Convolution, { x, dy }: { x: Value; dy: Value }): Value {
  const { graph, network, type } = tracing;
  if (isOwn(tracing, node, { kept: false })) return graph.op('BulwarkFilterGradient', [x, dy], {});
  const image = network.shapes[node.input] as [number, number, number];
  if (node.kernel === 1 && node.stride > 1 && node.padding === 0) {
    // see convolution.ts: oneDNN is given what the filter reads
    const all = [graph.integers([0, 0, 0, 0]), graph.integers([0, image[0], image[1], image[2]])];
    const attributes = { T: typeOf(type), Index: typeOf('int'), begin_mask: integerOf(1), end_mask: integerOf(1) };
    const read = graph.op('StridedSlice', [x, ...all, graph.integers([1, node.stride, node.stride, 1])], attributes);
    const shape = graph.integers([1, 1, image[2], node.filters]);
    const dense = symmetric({ stride: 1, padding: 0 });
    return graph.op(
      'Conv2DBackpropFilter',
      [read, shape, dy],
      convolutionAttributes(dense, { padding: 'VALID', type }),
    );
  }
  const geometry = symmetric(node);
  const name = paddingOf(geometry, image, node.kernel);
  const margin = node.padding;
  const margins = () => graph.reshape(graph.integers([0, 0, margin, margin, margin, margin, 0, 0]), [4, 2], 'int');
  const padded =
    name === 'EXPLICIT' ? graph.op('Pad', [x, margins()], { T: typeOf(type), Tpaddings: typeOf('int') }) : x;
  const shape = graph.integers([node.kernel, node.kernel, image[2], node.filters]);
  const padding = name === 'EXPLICIT' ? 'VALID' : name;
  return graph.op('Conv2DBackpropFilter', [padded, shape, dy], convolutionAttributes(geometry, { padding, type }));
}

/** The library's convolution with a filter; `fold` is the one with a BatchNorm in it, if there is one. */
function libraryFilter(tracing: Tracing, node: Convolution, fold: Fold | undefined): Filter {
  const { graph, network, weight, ofWeights, kept, type } = tracing;
  const image = network.shapes[node.input] as [number, number, number];
  const shape = [node.kernel, node.kernel, image[2], node.filters];
  const own = () => weight(`${node.name}.weight`, shape);
  const computed = fold !== undefined || type !== 'float';
  const filter = computed
    ? ofWeights(`${node.name} filter`, () => (fold ? fold.filter(fold.scale()) : own()), shape)
    : own();
  // the weights may be others when the gradient is asked for
  const filterBack = () => (computed ? kept(graph.typed(type, 'Identity', filter), shape) : own());
  const geometry = symmetric(node);
  const attributes = convolutionAttributes(geometry, { padding: paddingOf(geometry, image, node.kernel), type });
  return {
    forward(x, { bias, other, relu }) {
      // TensorFlow fuses what follows with the convolution
      const y = graph.op('Conv2D', [x, filter], attributes);
      const biased = bias === undefined ? y : graph.typed(type, 'BiasAdd', y, bias);
      const sum = other === undefined ? biased : graph.typed(type, 'AddV2', biased, other);
      return relu ? graph.typed(type, 'Relu', sum) : sum;
    },
    gradient: (dy) => inputGradient(tracing, node, { dy, filter: filterBack() }),
  };
}

/** A convolution, with BatchNorm in its weights, and a sum and a ReLU on its output, where the plan has put them. */
export function convolutionLayer(
  tracing: Tracing,
  node: Convolution,
  { id, norm, other, relu = false }: JoinedStep,
): TracedLayer {
  const { graph, network, weight, ofWeights, at, kept, type } = tracing;
  const shape = [node.kernel, node.kernel, network.shapes[node.input]!.at(-1)!, node.filters];
  const fold = norm === undefined ? undefined : folded(tracing, node, norm, shape);
  const filter = ownFilter(tracing, node, fold) ?? libraryFilter(tracing, node, fold);
  const own = () => weight(`${node.name}.bias`, [node.filters]);
  const plain = () => (type === 'float' ? own() : ofWeights(`${node.name} bias`, own, [node.filters]));
  const bias = fold?.bias ?? (node.bias ? plain() : undefined);

  const output = filter.forward(at(node.input), { bias, other: other === undefined ? undefined : at(other), relu });
  const parametersToo = norm === undefined && !relu; // it is no more than the convolution and a sum
  return {
    output,
    ...(parametersToo && {
      parameters: (dy: Value) => [
        [
          `${node.name}.weight`,
          filterGradient(tracing, node, { x: kept(at(node.input), batchShape(tracing, node.input)), dy }),
        ],
        ...(node.bias ? [[`${node.name}.bias`, graph.typed(type, 'BiasAddGrad', dy)] as const] : []),
      ],
    }),
    gradient(dOutput) {
      const dy = relu ? graph.typed(type, 'ReluGrad', dOutput, kept(output, batchShape(tracing, id))) : dOutput;
      const dx = [node.input, filter.gradient(dy)] as const;
      return other === undefined ? [dx] : [dx, [other, dy]];
    },
  };
}
