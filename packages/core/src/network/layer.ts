import type { Tensor } from '../tensor/index.js';
import type { layers } from '../tensor/layers.js';
import type { OnnxGraph, OnnxValue } from '../formats/index.js';
import type { BatchRanks, LayerStatistics } from './pass.js';

/** Reference to a node of a network graph: its position in `nodes`. */
export type NodeId = number;

/** Shape of a node's output without the batch: `[h, w, c]` or `[features]`. */
export type Shape = readonly number[];

/** What every node has; each layer adds its own settings. */
export interface BaseNode {
  readonly op: string;
  /** PyTorch's module name, on nodes with variables, so that these are exchanged by name. */
  readonly name?: string;
  /** The nodes whose outputs it reads. */
  readonly input?: NodeId;
  readonly other?: NodeId;
}

/** How a variable starts: all one value, U(-bound, bound), or N(0, deviation^2). */
export type Start = { readonly constant: number } | { readonly uniform: number } | { readonly normal: number };

/** A variable that a graph needs, described without allocating it. */
export interface VariableSpec {
  readonly name: string;
  /** Convolution kernels are HWIO, linear kernels `[in, out]`, all others `[channels]`. */
  readonly shape: Shape;
  readonly trainable: boolean;
  readonly start: Start;
}

/** What a layer computes with: the variables by name, and where BatchNorm's statistics come from. */
export interface LayerContext {
  /** A variable by its name, the current value. */
  value(name: string): Tensor;
  readonly mode: 'eval' | 'batch';
  /** Will gradients with respect to the layer's parameters be asked for? Decides what has to be kept. */
  readonly wrtParameters: boolean;
  /** Who has the rest of the batch, in mode `batch`. */
  readonly ranks?: BatchRanks;
}

/** What a layer found on the way forward. */
export interface Forward {
  readonly y: Tensor;
  /** What `backward` reads: inputs, `y` itself, or tensors of its own. */
  readonly residuals?: readonly Tensor[];
  /** Of a layer that normalises with the batch. */
  readonly statistics?: LayerStatistics;
}

/** What a layer needs on the way back. */
export interface BackwardContext extends LayerContext {
  readonly residuals: readonly Tensor[];
  /** Shapes of the inputs, with the batch. */
  readonly shapes: readonly Shape[];
  /** Are gradients with respect to the inputs asked for? */
  readonly wrtInputs: boolean;
}

/** What a layer gives on the way back; what was not asked for may be left out. */
export interface Backward {
  /** One for each input, in order. */
  readonly inputs?: readonly Tensor[];
  /** By the variables' names. */
  readonly parameters?: Readonly<Record<string, Tensor>>;
}

/** A layer of TensorFlow.js Layers, with the weights that go into it, in the layer's order. */
export interface StockLayer {
  readonly layer: Pick<ReturnType<typeof layers.dense>, 'apply' | 'setWeights'>;
  /** In the layer's order; left out where it has none. */
  readonly weights?: () => Tensor[];
}

/** What a layer becomes operators of ONNX with: images are `[batch, channels, height, width]` there, features `[batch, features]`. */
export interface OnnxContext extends OnnxGraph, Pick<LayerContext, 'value'> {
  /** Of the inputs, without the batch, channels last: `[h, w, c]` or `[features]`. */
  readonly shapes: readonly Shape[];
  /** Adds the values of a tensor as a constant, with its axes in another order where one is given. */
  tensor(name: string, values: Tensor, order?: readonly number[]): OnnxValue;
}

/** A name for tools to which PyTorch's dots are separators. */
export const stockName = (name: string): string => name.replaceAll('.', '_');

/** All that the library knows of one kind of layer. Tensors made in `forward`, `backward` and `stock` are freed for it. */
export interface Layer<N extends BaseNode, Arguments extends unknown[]> {
  /** The node's `op`. */
  readonly op: N['op'];
  /** Makes the node of the arguments that a graph builder gives. */
  node(...given: Arguments): Omit<N, 'op'>;
  /**
   * Shape of the output.
   * @throws BulwarkError MODEL_INVALID for inputs that it cannot take
   */
  shape(node: N, inputs: readonly Shape[]): Shape;
  /** The variables, trained ones first. */
  variables?(node: N, input: Shape): readonly VariableSpec[];
  /** Multiply-accumulates for one image, as papers count them; default 0. */
  multiplyAccumulates?(node: N, shapes: { readonly input: Shape; readonly output: Shape }): number;
  /** Computes the output of inputs `[batch, ...shape]` float32. */
  forward(node: N, inputs: readonly Tensor[], context: LayerContext): Forward;
  /** Gradients of a function of the output whose gradient with respect to it is `dy`, as the output. */
  backward(node: N, dy: Tensor, context: BackwardContext): Backward;
  /** `forward` in ops of stock TensorFlow.js alone, which its tape can differentiate twice; default: `forward`'s own. */
  stock?(node: N, inputs: readonly Tensor[], context: LayerContext): Tensor;
  /** The layers of TensorFlow.js Layers that it becomes, one after the other, for other programs. */
  stockLayers(node: N, value: (name: string) => Tensor): readonly StockLayer[];
  /** The operators of ONNX that it becomes in evaluation mode. @returns the value of its output */
  onnx(node: N, inputs: readonly OnnxValue[], graph: OnnxContext): OnnxValue;
}

/** A layer whose kind of node does not matter. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyLayer = Layer<any, any>;

/**
 * Gives a layer its types.
 * @example
 * ```ts
 * import { layers } from '@bulwark/core/tfjs-layers';
 * const double = defineLayer<{ readonly op: 'double'; readonly input: number }, [input: number]>({
 *   op: 'double',
 *   node: (input) => ({ input }),
 *   shape: (_node, [shape]) => shape!,
 *   forward: (_node, [x]) => ({ y: tf.mul(x!, 2) }),
 *   backward: (_node, dy) => ({ inputs: [tf.mul(dy, 2)] }),
 *   stockLayers: () => [{ layer: layers.rescaling({ scale: 2 }) }],
 *   onnx: (_node, [x], { op }) => op('Add', [x!, x!]),
 * });
 * double.node(4); // => { "input": 4 }
 * double.shape({ op: 'double', input: 0 }, [[8, 8, 3]]); // => [8, 8, 3]
 * ```
 * @category Plugins
 */
export const defineLayer = <N extends BaseNode, Arguments extends unknown[]>(
  layer: Layer<N, Arguments>,
): Layer<N, Arguments> => layer;

/** The nodes that a node reads, in the order of its layer's inputs. */
export const inputsOf = ({ input, other }: BaseNode): NodeId[] => [input, other].filter((id) => id !== undefined);
