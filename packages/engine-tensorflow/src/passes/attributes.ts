import { protobuf } from '@bulwark/core/formats';

const { bytesField, floatField, integerField, messageField, textField } = protobuf;

/** The types of tensors that our graphs hold, as TensorFlow's `types.proto` numbers them. */
const types = { float: 1, int: 3, bfloat16: 14 } as const;
export type ElementType = keyof typeof types;
/** What images and features are computed in. */
export type RealType = 'float' | 'bfloat16';

/** An attribute of a graph's node: the one field of an `AttrValue` message. */
export type Attribute = Uint8Array;

/** Field `number` that holds a shape; -1 is a length that each run decides. */
const shapeField = (number: number, shape: readonly number[]): Uint8Array =>
  messageField(number, ...shape.map((length) => messageField(2, integerField(1, length))));

export const textOf = (value: string): Attribute => textField(2, value);
export const integerOf = (value: number): Attribute => integerField(3, value);
export const floatOf = (value: number): Attribute => floatField(4, value);
export const flagOf = (value: boolean): Attribute => integerField(5, Number(value));
export const typeOf = (type: ElementType): Attribute => integerField(6, types[type]);
export const shapeOf = (shape: readonly number[]): Attribute => shapeField(7, shape);
export const integersOf = (values: readonly number[]): Attribute =>
  messageField(1, ...values.map((value) => integerField(3, value)));

/** The value of a `Const` node. */
export function tensorOf(type: 'float' | 'int', shape: readonly number[], values: readonly number[]): Attribute {
  const data = type === 'float' ? Float32Array.from(values) : Int32Array.from(values);
  const content = bytesField(4, new Uint8Array(data.buffer));
  return messageField(8, integerField(1, types[type]), shapeField(2, shape), content);
}
