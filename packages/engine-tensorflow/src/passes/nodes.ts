import {
  flagOf,
  floatOf,
  integerOf,
  integersOf,
  shapeOf,
  tensorOf,
  textOf,
  typeOf,
  type Attribute,
  type ElementType,
  type RealType,
} from './attributes.js';
import { paddingName, type ConvGeometry, type PaddingName } from '../ops.js';

/** An output of a node: the node's name, and `:1`, `:2`, ... for those after its first. */
export type Value = string;

/** One op of a TensorFlow graph. */
export interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly Value[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Collects the nodes of one graph; each method adds an op and returns its (first) output, float32. */
export interface GraphNodes {
  readonly nodes: readonly GraphNode[];
  /** A tensor that every run is given; -1 is a length that the run decides. */
  placeholder(shape: readonly number[], type?: ElementType): Value;
  floats(shape: readonly number[], values: readonly number[]): Value;
  integers(values: readonly number[]): Value;
  /** An op whose only attribute is the type of its tensors. */
  typed(type: RealType, op: string, ...inputs: readonly Value[]): Value;
  float(op: string, ...inputs: readonly Value[]): Value;
  op(op: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>>): Value;
  reshape(x: Value, shape: readonly number[], type?: ElementType): Value;
  /** The value in another type; itself where it has that type. */
  cast(x: Value, types: { from: RealType; to: RealType }): Value;
  /** The value that was computed under this name first. */
  once(name: string, compute: () => Value): Value;
}

/** The `at`th output of the node whose first output is given. */
export const outputOf = (value: Value, at: number): Value => `${value}:${at}`;

export function graphNodes(): GraphNodes {
  const nodes: GraphNode[] = [];
  const named = new Map<string, Value>();
  const op: GraphNodes['op'] = (kind, inputs, attributes) => {
    const name = `n${nodes.length}_${kind}`;
    nodes.push({ name, op: kind, inputs, attributes });
    return name;
  };
  const constant = (type: 'float' | 'int', shape: readonly number[], values: readonly number[]): Value =>
    op('Const', [], { dtype: typeOf(type), value: tensorOf(type, shape, values) });
  const integers = (values: readonly number[]) => constant('int', [values.length], values);
  return {
    nodes,
    op,
    integers,
    placeholder: (shape, type = 'float') => op('Placeholder', [], { dtype: typeOf(type), shape: shapeOf(shape) }),
    floats: (shape, values) => constant('float', shape, values),
    typed: (type, kind, ...inputs) => op(kind, inputs, { T: typeOf(type) }),
    float: (kind, ...inputs) => op(kind, inputs, { T: typeOf('float') }),
    once(name, compute) {
      if (!named.has(name)) named.set(name, compute());
      return named.get(name)!;
    },
    reshape: (x, shape, type = 'float') =>
      op('Reshape', [x, integers(shape)], { T: typeOf(type), Tshape: typeOf('int') }),
    cast: (x, { from, to }) => (from === to ? x : op('Cast', [x], { SrcT: typeOf(from), DstT: typeOf(to) })),
  };
}

/** Attributes of a convolution and of its gradient, NHWC. */
export function convolutionAttributes(
  geometry: ConvGeometry,
  { padding, type }: { padding: PaddingName; type: RealType },
): Record<string, Attribute> {
  return {
    T: typeOf(type),
    strides: integersOf([1, ...geometry.strides, 1]),
    padding: textOf(padding),
    explicit_paddings: integersOf(padding === 'EXPLICIT' ? [0, 0, ...geometry.padding, 0, 0] : []),
    data_format: textOf('NHWC'),
  };
}

/** TensorFlow's name for a square convolution's padding of images [height, width, channels]. */
export const paddingOf = (geometry: ConvGeometry, image: readonly number[], kernel: number): PaddingName =>
  paddingName(geometry, { input: [0, ...image], filter: [kernel, kernel] });

/** Attributes of a maximum over squares that do not overlap, and of its gradient. */
export const poolAttributes = (size: number, type: RealType): Record<string, Attribute> => ({
  T: typeOf(type),
  ksize: integersOf([1, size, size, 1]),
  strides: integersOf([1, size, size, 1]),
  padding: textOf('VALID'),
  data_format: textOf('NHWC'),
});

/** Attributes of fused BatchNorm and of its gradient, NHWC; statistics are float32 in any case. */
export const normAttributes = (training: boolean, epsilon: number, type: RealType): Record<string, Attribute> => ({
  T: typeOf(type),
  U: typeOf('float'),
  epsilon: floatOf(epsilon),
  data_format: textOf('NHWC'),
  is_training: flagOf(training),
});

/** Attributes of a matrix product whose factors may be transposed. */
export const productAttributes = (transposed?: 'first' | 'second'): Record<string, Attribute> => ({
  T: typeOf('float'),
  transpose_a: flagOf(transposed === 'first'),
  transpose_b: flagOf(transposed === 'second'),
});

/** `[batch, height, width, channels]` int32 with the batch of `like`, as the convolution's gradient needs its result's shape. */
export function sizesLike(
  graph: GraphNodes,
  { like, type }: { like: Value; type: RealType },
  image: readonly number[],
): Value {
  const shape = graph.op('Shape', [like], { T: typeOf(type), out_type: typeOf('int') });
  const indices = { T: typeOf('int'), Index: typeOf('int') };
  const batch = graph.op('Slice', [shape, graph.integers([0]), graph.integers([1])], indices);
  const axis = graph.op('Const', [], { dtype: typeOf('int'), value: tensorOf('int', [], [0]) });
  const parts = [batch, graph.integers(image), axis];
  return graph.op('ConcatV2', parts, { N: integerOf(2), T: typeOf('int'), Tidx: typeOf('int') });
}
