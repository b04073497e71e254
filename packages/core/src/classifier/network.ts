import * as tf from '../tensor/index.js';
import { currentSession, type EngineSession } from '../engine/current.js';
import type { ArchitectureSpec } from '../formats/index.js';
import {
  eagerExecutor,
  initialVariables,
  inputsOf,
  layerOf,
  storeOf,
  type Executor,
  type NetworkGraph,
} from '../network/index.js';
import type { Random } from '../random.js';
import type { Classifier } from './classifier.js';
import { updateRunningStatistics } from './running-statistics.js';

/** A classifier made of a graph of layers, with its own variables. */
export interface Network extends Classifier {
  readonly graph: NetworkGraph;
  opByOpBecause(): string | undefined;
}

interface Prepared {
  readonly executor: Executor;
  readonly failure?: string;
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
  const eager = eagerExecutor({ graph, store, hostMemory: () => currentSession()?.hostMemory ?? true });
  const prepared = new Map<string, Prepared & { readonly session: EngineSession }>();

  const prepare = (session: EngineSession): Prepared => {
    try {
      return { executor: session.prepare!({ graph, store, eager }) };
    } catch (error) {
      return { executor: eager, failure: (error as Error).message };
    }
  };
  const current = (): Prepared => {
    const session = currentSession();
    if (!session?.prepare) return { executor: eager };
    const known = prepared.get(session.backend);
    if (known?.session === session) return known;
    known?.executor.dispose();
    const made = { session, ...prepare(session) };
    prepared.set(session.backend, made);
    return made;
  };

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
    classes: graph.shapes.at(-1)![0]!,
    parameters,
    statistics,
    dtypes: () => current().executor.dtypes,
    acrossRanks: true,
    // engines that run passes whole do not stop at each BatchNorm to speak to other processes, and keep nothing that lies between
    pass(images, request) {
      const opByOp = (request.ranks && request.mode === 'batch') || request.features?.length;
      return (opByOp ? eager : current().executor).pass(images, request);
    },
    opByOpBecause() {
      const { executor, failure } = current();
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
      for (const { executor } of prepared.values()) executor.dispose();
      prepared.clear();
      for (const variable of [...parameters.values(), ...statistics.values()]) variable.dispose();
    },
  };
}
