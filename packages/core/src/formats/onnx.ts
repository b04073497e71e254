import { BulwarkError } from '../errors.js';
import { bytesField, concat, floatField, integerField, messageField, textField } from './protobuf.js';

/** Version of the operators that are used: every runtime since 2022 has it (ONNX 1.12, ONNX Runtime 1.12). */
export const onnxOpset = 17;
/** Version of the file format that goes with the opset. */
const irVersion = 8;
/** Protobuf knows no message of 2 GiB or more. */
const most = 2 ** 31 - 1;

/** An attribute of an operator: whole numbers and lists of them, text, or `{ float }`. */
export type OnnxAttribute = number | readonly number[] | string | { readonly float: number };

/** A name of a value within a graph. */
export type OnnxValue = string;

/** Takes the nodes of a graph, one after the other. */
export interface OnnxGraph {
  /** Adds an operator; missing inputs in the middle are `''`. @returns its output */
  op(type: string, inputs: readonly OnnxValue[], attributes?: Readonly<Record<string, OnnxAttribute>>): OnnxValue;
  /** Adds a constant: float32, or int64 from `BigInt64Array`. The same name twice is the same constant. @returns its value */
  constant(name: string, data: Float32Array | BigInt64Array, shape?: readonly number[]): OnnxValue;
}

/** An input or output: float32; text is the name of a size that is not fixed. */
export interface OnnxPort {
  readonly name: OnnxValue;
  readonly shape: readonly (number | string)[];
}

/** What a file says besides the graph. */
export interface OnnxDescription {
  readonly name: string;
  readonly input: OnnxPort;
  readonly output: OnnxPort;
  readonly version: string;
  /** For people. */
  readonly text: string;
  /** By key, for programs. */
  readonly metadata: Readonly<Record<string, string>>;
}

const attributeTypes = { float: 1, integer: 2, text: 3, integers: 7 };

function attributeField(name: string, value: OnnxAttribute): Uint8Array {
  const typed = (type: number, ...fields: readonly Uint8Array[]) =>
    messageField(5, textField(1, name), ...fields, integerField(20, type));
  if (typeof value === 'number') return typed(attributeTypes.integer, integerField(3, value));
  if (typeof value === 'string') return typed(attributeTypes.text, textField(4, value));
  if ('float' in value) return typed(attributeTypes.float, floatField(2, value.float));
  return typed(attributeTypes.integers, ...value.map((each) => integerField(8, each)));
}

const portField = (field: number, { name, shape }: OnnxPort): Uint8Array => {
  const dimensions = shape.map((size) =>
    messageField(1, typeof size === 'number' ? integerField(1, size) : textField(2, size)),
  );
  return messageField(
    field,
    textField(1, name),
    messageField(2, messageField(1, integerField(1, 1), messageField(2, ...dimensions))),
  );
};

function tensorField(name: string, data: Float32Array | BigInt64Array, shape: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return messageField(
    5,
    ...shape.map((size) => integerField(1, size)),
    integerField(2, data instanceof Float32Array ? 1 : 7),
    textField(8, name),
    bytesField(9, bytes),
  );
}

/**
 * A model of ONNX (onnx.ai, `onnx.proto`) of one input and one output.
 * @param build adds the graph's nodes, given its input, and returns the value that is its output
 * @throws BulwarkError MODEL_INVALID if it does not fit one file
 */
export function encodeOnnx(
  about: OnnxDescription,
  build: (graph: OnnxGraph, input: OnnxValue) => OnnxValue,
): Uint8Array {
  const nodes: Uint8Array[] = [];
  const constants = new Map<string, Uint8Array>();
  const addNode = (
    type: string,
    inputs: readonly OnnxValue[],
    output: OnnxValue,
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ) => {
    nodes.push(
      messageField(
        1,
        ...inputs.map((input) => textField(1, input)),
        textField(2, output),
        textField(3, `${type}_${nodes.length}`),
        textField(4, type),
        ...Object.entries(attributes).map(([name, value]) => attributeField(name, value)),
      ),
    );
    return output;
  };
  const graph: OnnxGraph = {
    op: (type, inputs, attributes) => addNode(type, inputs, `${type.toLowerCase()}_${nodes.length}_out`, attributes),
    constant(name, data, shape = [data.length]) {
      if (!constants.has(name)) constants.set(name, tensorField(name, data, shape));
      return name;
    },
  };
  addNode('Identity', [build(graph, about.input.name)], about.output.name);
  const parts = [...nodes, ...constants.values()];
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  if (size > most - 2 ** 20)
    throw new BulwarkError('MODEL_INVALID', `${about.name} has ${size} bytes as ONNX; one file holds less than 2 GiB`, {
      hint: 'export it --to safetensors',
    });
  return concat([
    integerField(1, irVersion),
    textField(2, 'Bulwark'),
    textField(3, about.version),
    textField(6, about.text),
    messageField(
      7,
      ...parts.slice(0, nodes.length),
      textField(2, about.name),
      ...parts.slice(nodes.length),
      portField(11, about.input),
      portField(12, about.output),
    ),
    messageField(8, textField(1, ''), integerField(2, onnxOpset)),
    ...Object.entries(about.metadata).map(([key, value]) => messageField(14, textField(1, key), textField(2, value))),
  ]);
}
