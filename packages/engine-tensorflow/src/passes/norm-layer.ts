import type { Node, NodeId } from '@bulwark/core/network';
import type { TracedLayer, Tracing } from './layer.js';
import { normAttributes, outputOf, type Value } from './nodes.js';

/** BatchNorm that no convolution absorbs. TensorFlow's op takes images only: features are images of one pixel. */
export function normLayer(tracing: Tracing, node: Node & { op: 'batch-norm' }, id: NodeId): TracedLayer {
  const { graph, network, weight, kept, batchStatistics, epsilon, type } = tracing;
  const shape = network.shapes[id]!;
  const channels = shape.at(-1)!;
  const image = shape.length === 3 ? shape : [1, 1, channels];
  const asImages = (value: Value) => (shape.length === 3 ? value : graph.reshape(value, [-1, ...image]));
  const back = (value: Value) => (shape.length === 3 ? value : graph.reshape(value, [-1, channels]));
  const statistic = (name: string) => weight(`${node.name}.${name}`, [channels]);
  const attributes = normAttributes(batchStatistics, epsilon, type);

  const x = asImages(tracing.at(node.input));
  const none = () => graph.floats([0], []);
  const given = batchStatistics ? [none(), none()] : [statistic('running_mean'), statistic('running_var')];
  const y = graph.op('FusedBatchNormV3', [x, statistic('weight'), statistic('bias'), ...given], attributes);

  let gradients: Value | undefined; // in x, in the scale, in the shift
  const throughStatistics = (dy: Value): Value => {
    // what the op reserves for its gradient (outputs 3 to 5); what that is differs between devices
    const reserved = [3, 4].map((at) => kept(outputOf(y, at), [channels], 'float'));
    const inputs = [dy, kept(x, [-1, ...image]), statistic('weight'), ...reserved, none()];
    return (gradients = graph.op('FusedBatchNormGradV3', inputs, attributes));
  };
  const scaled = (dy: Value): Value => {
    const deviation = graph.float('AddV2', statistic('running_var'), graph.floats([1], [epsilon]));
    const scale = graph.float('Mul', statistic('weight'), graph.float('Rsqrt', deviation));
    return graph.typed(type, 'Mul', dy, graph.cast(scale, { from: 'float', to: type }));
  };
  return {
    output: back(y),
    gradient: (dy) => [[node.input, back((batchStatistics ? throughStatistics : scaled)(asImages(dy)))]],
    ...(batchStatistics && {
      parameters: () => [
        [`${node.name}.weight`, outputOf(gradients!, 1)],
        [`${node.name}.bias`, outputOf(gradients!, 2)],
      ],
      statistics: { layer: node.name, mean: outputOf(y, 1), variance: outputOf(y, 2) },
    }),
  };
}
