import { InferenceSession, Tensor, env } from 'onnxruntime-web';

/** An ONNX model in ONNX Runtime, on one thread of WebAssembly. */
export interface OnnxSession {
  /** The logits of images of this shape. */
  run(images: Float32Array, shape: readonly number[], input?: string): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Opens a model. */
export async function openSession(bytes: Uint8Array): Promise<OnnxSession> {
  env.wasm.numThreads = 1;
  const session = await InferenceSession.create(bytes, { executionProviders: ['wasm'] });
  return {
    async run(images, shape, input = 'images') {
      const { logits } = await session.run({ [input]: new Tensor('float32', images, [...shape]) });
      return logits!.data as Float32Array;
    },
    close: () => session.release(),
  };
}

interface Field {
  readonly number: number;
  /** Bytes of a message or text; a number. */
  readonly value: Uint8Array | number;
}

/** The fields of a message of protobuf, without a schema. */
function fieldsOf(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, wire] = [tag >> 3, tag & 7];
    if (wire === 0) fields.push({ number, value: varint() });
    else {
      const length = wire === 2 ? varint() : wire === 5 ? 4 : 8;
      fields.push({ number, value: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  return fields;
}

/** What a file says of itself, read without any of the code that wrote it. */
export function metadataOf(bytes: Uint8Array) {
  const all = (of: Uint8Array, number: number) => fieldsOf(of).filter((field) => field.number === number);
  const message = (of: Uint8Array, number: number) => all(of, number)[0]!.value as Uint8Array;
  const text = (of: Uint8Array, number: number) => new TextDecoder().decode(message(of, number));
  const graph = message(bytes, 7);
  return {
    irVersion: all(bytes, 1)[0]!.value,
    producer: text(bytes, 2),
    opset: all(message(bytes, 8), 2)[0]!.value,
    input: text(message(graph, 11), 1),
    output: text(message(graph, 12), 1),
    metadata: Object.fromEntries(
      all(bytes, 14).map(({ value }) => [text(value as Uint8Array, 1), text(value as Uint8Array, 2)]),
    ),
  };
}
