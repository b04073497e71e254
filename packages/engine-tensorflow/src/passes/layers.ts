import type { Node, NodeId } from '@bulwark/core/network';
import { flagOf, typeOf } from './attributes.js';
import { convolutionLayer } from './convolution-layer.js';
import type { JoinedStep } from './joined-sums.js';
import { batchShape, type TracedLayer, type Tracing } from './layer.js';
import { normLayer } from './norm-layer.js';
import { poolAttributes, productAttributes, type Value } from './nodes.js';

/** A layer whose output is `output` and that hands `dx(dy)` to its one input. */
const unary = (input: NodeId, output: Value, dx: (dy: Value) => Value): TracedLayer => ({
  output,
  gradient: (dy) => [[input, dx(dy)]],
});

function linearLayer(tracing: Tracing, node: Node & { op: 'linear' }): TracedLayer {
  const { graph, network, weight, at, kept } = tracing;
  const matrix = () => weight(`${node.name}.weight`, [network.shapes[node.input]![0]!, node.units]);
  const x = at(node.input);
  const product = graph.op('MatMul', [x, matrix()], productAttributes());
  const y = graph.float('BiasAdd', product, weight(`${node.name}.bias`, [node.units]));
  return {
    ...unary(node.input, y, (dy) => graph.op('MatMul', [dy, matrix()], productAttributes('second'))),
    parameters: (dy) => [
      [
        `${node.name}.weight`,
        graph.op('MatMul', [kept(x, batchShape(tracing, node.input)), dy], productAttributes('first')),
      ],
      [`${node.name}.bias`, graph.float('BiasAddGrad', dy)],
    ],
  };
}

function averageLayer({ graph, network, at }: Tracing, node: Node & { op: 'global-average-pool' }): TracedLayer {
  const [height, width, channels] = network.shapes[node.input] as [number, number, number];
  const attributes = { T: typeOf('float'), Tidx: typeOf('int'), keep_dims: flagOf(false) };
  const y = graph.op('Mean', [at(node.input), graph.integers([1, 2])], attributes);
  return unary(node.input, y, (dy) => {
    const share = new Array<number>(height * width).fill(1 / (height * width));
    return graph.float('Mul', graph.reshape(dy, [-1, 1, 1, channels]), graph.floats([1, height, width, 1], share));
  });
}

function poolLayer(tracing: Tracing, node: Node & { op: 'max-pool' }, id: NodeId): TracedLayer {
  const { graph, at, kept, type } = tracing;
  const attributes = poolAttributes(node.size, type);
  const x = at(node.input);
  const y = graph.op('MaxPool', [x], attributes);
  return unary(node.input, y, (dy) =>
    graph.op(
      'MaxPoolGrad',
      [kept(x, batchShape(tracing, node.input)), kept(y, batchShape(tracing, id)), dy],
      attributes,
    ),
  );
}

/** Adds the forward ops of a step to the graph. The network's input is a layer too, without an input of its own. */
export function tracedLayer(tracing: Tracing, images: Value, step: JoinedStep): TracedLayer {
  const { graph, network, at, kept, type } = tracing;
  const { node, id } = step;
  switch (node.op) {
    case 'input':
      // a value of its own: one run can be given the images and asked for them
      return { output: graph.float('Identity', images), gradient: () => [] };
    case 'normalize': {
      const perChannel = (values: readonly number[]) => graph.floats([values.length], values);
      const y = graph.float('RealDiv', graph.float('Sub', at(node.input), perChannel(node.mean)), perChannel(node.std));
      return unary(node.input, y, (dy) => graph.float('RealDiv', dy, perChannel(node.std)));
    }
    case 'conv':
      return convolutionLayer(tracing, node, step);
    case 'batch-norm':
      return normLayer(tracing, node, id);
    case 'relu': {
      const y = graph.typed(type, 'Relu', at(node.input));
      return unary(node.input, y, (dy) => graph.typed(type, 'ReluGrad', dy, kept(y, batchShape(tracing, id))));
    }
    case 'silu': {
      const x = at(node.input);
      return unary(node.input, graph.typed(type, 'Mul', x, graph.typed(type, 'Sigmoid', x)), (dy) => {
        // s (1 + x (1 - s))
        const given = kept(x, batchShape(tracing, node.input));
        const s = graph.typed(type, 'Sigmoid', given);
        const one = graph.cast(graph.floats([1], [1]), { from: 'float', to: type });
        const rest = graph.typed(type, 'Mul', given, graph.typed(type, 'Sub', one, s));
        return graph.typed(type, 'Mul', dy, graph.typed(type, 'Mul', s, graph.typed(type, 'AddV2', one, rest)));
      });
    }
    case 'add':
      return {
        output: graph.typed(type, 'AddV2', at(node.input), at(node.other)),
        gradient: (dy) => [
          [node.input, dy],
          [node.other, dy],
        ],
      };
    case 'max-pool':
      return poolLayer(tracing, node, id);
    case 'global-average-pool':
      return averageLayer(tracing, node);
    case 'flatten':
      return unary(node.input, graph.reshape(at(node.input), [-1, ...network.shapes[id]!]), (dy) =>
        graph.reshape(dy, batchShape(tracing, node.input)),
      );
    case 'linear':
      return linearLayer(tracing, node);
    default:
      throw new Error(`there is no graph for layers of kind ${node.op}`);
  }
}
