import * as tf from '../tensor/index.js';
import { createNetwork, type Network } from '../classifier/index.js';
import { networkGraph } from '../network/index.js';
import { createRandom } from '../random.js';

/** For tests: images of one pixel, whose class is whether it is above 0.5. */
export function thresholdModel(): Network {
  const graph = networkGraph([1, 1, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 2 }));
  const model = createNetwork(graph, { name: 'threshold', random: createRandom(0) });
  model.parameters.get('fc.weight')!.assign(tf.tensor2d([[-10, 10]]));
  model.parameters.get('fc.bias')!.assign(tf.tensor1d([5, -5]));
  return model;
}
