import type { ArchitectureSpec, InputNormalisation, ModelFacts } from '../formats/index.js';
import type { Classifier } from './classifier.js';
import type { NetworkGraph } from '../network/index.js';

/** What a classifier cannot know of itself: who trained it, on what, to withstand what. */
export type ModelContext = Pick<ModelFacts, 'classNames' | 'threat' | 'data' | 'objective' | 'fingerprint'>;

/** What a network does to its input before the first layer; undefined if its layers cannot be looked at. */
export function normalisationOf(classifier: Classifier): InputNormalisation | null | undefined {
  if (!('graph' in classifier)) return undefined;
  const { nodes } = classifier.graph as NetworkGraph;
  const found = nodes.find((node) => node.op === 'normalize' && nodes[node.input]!.op === 'input');
  return found?.op === 'normalize' ? { mean: found.mean, std: found.std } : null;
}

/** The options that say what is computed: not those that say where a file lies on this machine. */
function portable({ use, ...options }: ArchitectureSpec): ArchitectureSpec {
  const { weights: _weights, path: _path, ...computing } = options;
  return { use, ...computing };
}

/**
 * Everything that has to travel with the tensors of a classifier.
 * @example
 * ```ts
 * const graph = networkGraph([2, 2, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 3 }));
 * const model = createNetwork(graph, { name: 'linear', random: createRandom(1) });
 * factsOf(model).inputShape; // => [2, 2, 1]
 * ```
 * @category Networks and passes
 */
export function factsOf(classifier: Classifier, context: ModelContext = {}): ModelFacts {
  const { architecture, inputShape, classes } = classifier;
  const normalize = normalisationOf(classifier);
  return {
    ...(architecture && { architecture: portable(architecture) }),
    inputShape,
    ...(normalize !== undefined && { normalize }),
    classes,
    ...context,
  };
}
