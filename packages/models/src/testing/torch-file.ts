import { crc32 } from 'node:zlib';
import type { StoredTensor } from '@bulwark/core';

/** An object of a class that is not known here, as a pickle names it. */
export class Instance {
  constructor(
    /** `module Class`. */
    readonly path: string,
    readonly options: { args?: readonly unknown[]; state?: unknown; entries?: ReadonlyMap<unknown, unknown> } = {},
  ) {}
}

/** A name alone, such as `torch float32`. */
export class Name {
  constructor(readonly path: string) {}
}

const isTensor = (value: unknown): value is StoredTensor =>
  typeof value === 'object' && value !== null && 'dtype' in value;
const storages: Readonly<Record<string, string>> = { F32: 'FloatStorage', I64: 'LongStorage' };

/** Writes values as PyTorch's pickler does, protocol 2; tensors become storages of their own. */
function pickle(root: unknown): { bytes: Buffer; contents: Uint8Array[] } {
  const parts: Buffer[] = [Buffer.from('\x80\x02', 'latin1')];
  const contents: Uint8Array[] = [];
  const put = (text: string) => void parts.push(Buffer.from(text, 'latin1'));
  const int = (value: number) => {
    const bytes = Buffer.alloc(5);
    bytes.write('J');
    bytes.writeInt32LE(value, 1);
    parts.push(bytes);
  };
  const text = (value: string) => {
    const content = Buffer.from(value);
    const length = Buffer.alloc(5);
    length.write('X');
    length.writeUInt32LE(content.length, 1);
    parts.push(length, content);
  };
  const name = (path: string) => put(`c${path.replace(' ', '\n')}\n`);
  const tuple = (values: readonly unknown[]) => {
    put('(');
    values.forEach(write);
    put('t');
  };
  const entries = (map: ReadonlyMap<unknown, unknown>) => {
    put('(');
    for (const [key, value] of map) {
      write(key);
      write(value);
    }
    put('u');
  };
  const tensor = ({ dtype, shape, data }: StoredTensor) => {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((size, n) => size * n, 1));
    name('torch._utils _rebuild_tensor_v2');
    put('((');
    text('storage');
    name(`torch ${storages[dtype]}`);
    text(String(contents.length));
    text('cpu');
    int(data.length);
    put('tQ');
    contents.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    int(0);
    tuple(shape);
    tuple(strides);
    put('\x89}tR');
  };
  const write = (value: unknown): void => {
    if (value === null || value === undefined) put('N');
    else if (typeof value === 'boolean') put(value ? '\x88' : '\x89');
    else if (typeof value === 'string') text(value);
    else if (typeof value === 'number' && Number.isInteger(value)) int(value);
    else if (typeof value === 'number') {
      const bytes = Buffer.alloc(9);
      bytes.write('G');
      bytes.writeDoubleBE(value, 1);
      parts.push(bytes);
    } else if (value instanceof Name) name(value.path);
    else if (value instanceof Instance) {
      name(value.path);
      tuple(value.options.args ?? []);
      put('R');
      if (value.options.entries) entries(value.options.entries);
      if (value.options.state !== undefined) {
        write(value.options.state);
        put('b');
      }
    } else if (value instanceof Map) {
      put('}');
      entries(value);
    } else if (Array.isArray(value)) {
      put('](');
      value.forEach(write);
      put('e');
    } else if (isTensor(value)) tensor(value);
    else throw new Error(`cannot write ${String(value)}`);
  };
  write(root);
  put('.');
  return { bytes: Buffer.concat(parts), contents };
}

/** A zip archive without compression. */
function zip(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, content] of files) {
    const head = Buffer.alloc(26);
    head.writeUInt16LE(20, 0);
    head.writeUInt32LE(crc32(content), 10);
    head.writeUInt32LE(content.length, 14);
    head.writeUInt32LE(content.length, 18);
    head.writeUInt16LE(name.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    const body = Buffer.concat([Buffer.from('PK\x03\x04'), head, Buffer.from(name), content]);
    bodies.push(body);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), head, tail, Buffer.from(name)]));
    at += body.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(files.size, 8);
  end.writeUInt16LE(files.size, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(at, 16);
  return new Uint8Array(Buffer.concat([...bodies, list, end]));
}

/** What `torch.save(root, file)` writes: Maps are dictionaries, arrays lists, tensors tensors. */
export function torchFile(root: unknown): Uint8Array {
  const { bytes, contents } = pickle(root);
  return zip(
    new Map<string, Uint8Array>([
      ['archive/data.pkl', bytes],
      ...contents.map((content, i): [string, Uint8Array] => [`archive/data/${i}`, content]),
    ]),
  );
}
