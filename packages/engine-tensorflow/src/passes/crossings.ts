import { typeOf, type RealType } from './attributes.js';
import type { GraphNodes, Value } from './nodes.js';

/** What goes from the forward part of a pass, through TensorFlow.js's tensors, into the backward part. */
export interface Crossings {
  /** The value as the backward part has it; -1 in `shape` is the batch. */
  at(value: Value, shape: readonly number[], type: RealType): Value;
  /** What the forward part finds, and as what the backward part is given it. */
  readonly all: ReadonlyMap<Value, Value>;
}

export function crossings(graph: GraphNodes): Crossings {
  const all = new Map<Value, Value>();
  const known = new Map<Value, Value>();

  /** TensorFlow.js has no bfloat16, so two of them go as one int32; an odd one goes as float32. */
  const inPairs = (value: Value, shape: readonly number[]): Value => {
    const lead = shape.filter((length) => length === -1);
    const count = shape.reduce((product, length) => (length === -1 ? product : product * length), 1);
    const bfloat16 = typeOf('bfloat16');
    if (count % 2 !== 0) {
      const given = graph.placeholder(shape);
      all.set(graph.cast(value, { from: 'bfloat16', to: 'float' }), given);
      return graph.cast(given, { from: 'float', to: 'bfloat16' });
    }
    const pairs = graph.reshape(value, [...lead, count / 2, 2], 'bfloat16');
    const given = graph.placeholder([...lead, count / 2], 'int');
    all.set(graph.op('Bitcast', [pairs], { T: bfloat16, type: typeOf('int') }), given);
    return graph.reshape(graph.op('Bitcast', [given], { T: typeOf('int'), type: bfloat16 }), shape, 'bfloat16');
  };
  const asItIs = (value: Value, shape: readonly number[]): Value => {
    const given = graph.placeholder(shape);
    all.set(value, given);
    return given;
  };
  return {
    all,
    at(value, shape, type) {
      if (!known.has(value)) known.set(value, (type === 'float' ? asItIs : inPairs)(value, shape));
      return known.get(value)!;
    },
  };
}
