import type { NetworkGraph, Node } from './graph.js';
import { inputsOf, type NodeId } from './layer.js';

/** What one op computes in a pass: a node, or a convolution together with what follows it. */
export interface Step {
  readonly node: Node;
  /** The node whose output this step gives: `node`, or the last one of what follows. */
  readonly id: NodeId;
  /** Outputs that no later step reads. The network's input is not among them: it belongs to the caller. */
  readonly done: readonly NodeId[];
  /** On a convolution: the BatchNorm to multiply into its weights, and whether to rectify its output. */
  readonly norm?: string;
  readonly relu?: boolean;
}

/**
 * The steps of a pass in order. With `fold`, a BatchNorm that alone reads a convolution, and a ReLU that alone reads
 * either, become part of the convolution: right where BatchNorm is a fixed linear map, which is in evaluation mode.
 */
export function planPass(graph: NetworkGraph, { fold }: { fold: boolean }): Step[] {
  const readers = graph.nodes.map((): NodeId[] => []);
  for (const [id, node] of graph.nodes.entries()) for (const input of inputsOf(node)) readers[input]!.push(id);
  const onlyReader = (id: NodeId) => (readers[id]!.length === 1 ? readers[id]![0]! : id);

  const absorbed = new Set<NodeId>();
  const steps: Omit<Step, 'done'>[] = [];
  for (const [start, node] of graph.nodes.entries()) {
    if (absorbed.has(start)) continue;
    if (!fold || node.op !== 'conv') {
      steps.push({ node, id: start });
      continue;
    }
    const first = graph.nodes[onlyReader(start)]!;
    const norm = first.op === 'batch-norm' ? first.name : undefined;
    const normalised = norm === undefined ? start : onlyReader(start);
    const relu = graph.nodes[onlyReader(normalised)]!.op === 'relu';
    const id = relu ? onlyReader(normalised) : normalised;
    absorbed.add(normalised).add(id);
    steps.push({ node, id, relu, ...(norm === undefined ? {} : { norm }) });
  }

  const lastReader = new Map<NodeId, number>();
  for (const [index, { node }] of steps.entries()) for (const input of inputsOf(node)) lastReader.set(input, index);
  return steps.map((step, index) => ({
    ...step,
    done: [...lastReader].filter(([node, at]) => at === index && node !== 0).map(([node]) => node),
  }));
}
