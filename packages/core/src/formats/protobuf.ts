/** A whole number, 7 bits to a byte, negative ones in 64 bits (protobuf.dev, "Encoding"; here are the field types that we need). */
function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

const tagged = (number: number, wire: number, ...parts: readonly Uint8Array[]): Uint8Array =>
  concat([varint((number << 3) | wire), ...parts]);

/** Byte strings, one behind the other: the fields of a message make the message. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function fixed(size: 4 | 8, write: (view: DataView) => void): Uint8Array {
  const view = new DataView(new ArrayBuffer(size));
  write(view);
  return new Uint8Array(view.buffer);
}

/** A whole number, as `int32`, `int64`, `bool` and enumerations have it. */
export const integerField = (number: number, value: number): Uint8Array => tagged(number, 0, varint(value));
/** A `double`: 8 bytes, little-endian. */
export const doubleField = (number: number, value: number): Uint8Array =>
  tagged(
    number,
    1,
    fixed(8, (view) => view.setFloat64(0, value, true)),
  );
/** A `float`: 4 bytes, little-endian. */
export const floatField = (number: number, value: number): Uint8Array =>
  tagged(
    number,
    5,
    fixed(4, (view) => view.setFloat32(0, value, true)),
  );
/** `bytes`, with their length in front. */
export const bytesField = (number: number, value: Uint8Array): Uint8Array =>
  tagged(number, 2, varint(value.length), value);
/** A `string`, in UTF-8. */
export const textField = (number: number, value: string): Uint8Array =>
  bytesField(number, new TextEncoder().encode(value));
/** A message inside a message. */
export const messageField = (number: number, ...fields: readonly Uint8Array[]): Uint8Array =>
  bytesField(number, concat(fields));
