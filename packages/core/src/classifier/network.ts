import * as tf from '../tensor/index.js';
import { currentSession } from '../engine/current.js';
import { BulwarkError } from '../errors.js';
import type { ArchitectureSpec } from '../formats/index.js';
import {
  eagerExecutor,
  featureNames,
  featureNode,
  initialVariables,
  inputsOf,
  layerOf,
  storeOf,
  type NetworkGraph,
} from '../network/index.js';
import type { Random } from '../random.js';
import { asPromised, guarded, requirePossible } from './checks.js';
import type { Classifier } from './classifier.js';
import { preparedFor } from './prepared.js';
import { updateRunningStatistics } from './running-statistics.js';

/** A classifier made of a graph of layers, with its own variables. */
export interface Network extends Classifier {
  readonly graph: NetworkGraph;
  opByOpBecause(): string | undefined;
}

/**
 * Makes a classifier of a graph.
 * @param options.architecture plugin and options, for whoever writes the weights to a file
 * @param options.random draws the initial weights in parameter order; undefined: all weights 0, for those that are loaded from a file
 * @example
 * ```ts
 * const graph = networkGraph([2, 2, 1], (g) => g.linear('fc', g.flatten(g.input), { units: 3 }));
 * const model = createNetwork(graph, { name: 'linear', random: createRandom(1, 'initialisation') });
 * [...model.parameters.keys()]; // => ["fc.weight", "fc.bias"]
 * logitsOf(model, tf.zeros([5, 2, 2, 1])).shape; // => [5, 3]
 * model.dispose();
 * ```
 * @category Networks and passes
 */
export function createNetwork(
  graph: NetworkGraph,
  options: { name: string; random: Random | undefined; architecture?: ArchitectureSpec },
): Network {
  const variables = initialVariables(graph, options.random);
  const { parameters, statistics } = variables;
  const store = storeOf(variables);
  const eager = eagerExecutor({
    graph,
    store,
    hostMemory: () => currentSession()?.hostMemory ?? true,
    updatesInPlace: () => currentSession()?.updates !== undefined,
  });
  const prepared = preparedFor({ graph, store, eager });
  const classes = graph.shapes.at(-1)![0]!;
  const features = featureNames(graph).flatMap((name) => [name, `${name}.input`]);
  const possible = {
    inputShape: graph.inputShape,
    features: features.filter((name) => featureNode(graph, name) >= 0),
  };
  let alive = true;

  const momenta = new Map(
    graph.nodes.flatMap((node) =>
      node.op === 'batch-norm' && node.momentum !== undefined ? [[node.name, node.momentum] as const] : [],
    ),
  );
  return {
    name: options.name,
    ...(options.architecture && { architecture: options.architecture }),
    graph,
    inputShape: graph.inputShape,
    classes,
    parameters,
    statistics,
    dtypes: () => prepared.current().executor.dtypes,
    acrossRanks: true,
    pass(images, request) {
      if (!alive)
        throw new BulwarkError('PASS_INVALID', `the weights of ${options.name} were freed`, {
          hint: 'call dispose of a model after its last pass',
        });
      requirePossible(images, request, possible);
      // engines that run passes whole do not stop at each BatchNorm to speak to other processes, and keep nothing that lies between
      const opByOp = (request.ranks && request.mode === 'batch') || request.features?.length;
      const { executor, engine } = opByOp ? { executor: eager } : prepared.current();
      const pass = executor.pass(images, request);
      const made = engine === undefined ? pass : asPromised(pass, { images, request, classes, parameters, engine });
      return guarded(made, request);
    },
    opByOpBecause() {
      const { executor, failure } = prepared.current();
      return failure ?? executor.opByOpBecause?.();
    },
    taped(images, mode) {
      const outputs: tf.Tensor[] = [];
      const context = { value: store.value, mode, wrtParameters: true };
      for (const node of graph.nodes) {
        const inputs = node.op === 'input' ? [images] : inputsOf(node).map((id) => outputs[id]!);
        const { stock, forward } = layerOf(node);
        outputs.push(stock ? stock(node, inputs, context) : forward(node, inputs, context).y);
      }
      return outputs.at(-1) as tf.Tensor2D;
    },
    applyStatistics: (batch, momentum) => updateRunningStatistics(statistics, batch, momentum ?? momenta),
    dispose() {
      alive = false;
      prepared.dispose();
      eager.dispose();
      for (const variable of [...parameters.values(), ...statistics.values()]) variable.dispose();
    },
  };
}
