import { DataStorage, engine, KernelBackend } from '@tensorflow/tfjs-core';
import type { BackendValues, DataId, DataType, TensorInfo } from '@tensorflow/tfjs-core';
import { dtypeCodes, type Handle, type Native, type NativeDtype, type Values } from './native.js';

/** What the backend knows of the data of tensors that share it. */
interface Entry {
  readonly shape: readonly number[];
  readonly dtype: DataType;
  refCount: number;
  handle?: Handle;
  /** Every element is this number, until it is written. It becomes a native tensor when a kernel first reads it, which many never do. */
  constant?: number;
  /** Of types that native tensors do not have. */
  readonly values?: BackendValues;
}

/** An array of the addon's as one of the realm that this code runs in: in Jest they are not instances of each other's classes. */
const ours = ({ buffer }: Values, dtype: DataType): Values =>
  new arrayTypes[dtype as NativeDtype](buffer as ArrayBuffer);

const isNative = (dtype: DataType): dtype is NativeDtype => dtype in dtypeCodes;
const arrayTypes = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** The number that all elements are, bit by bit, or undefined. */
function constantOf(values: Values): number | undefined {
  if (values.length === 0) return undefined;
  const bits =
    values.BYTES_PER_ELEMENT === 4 ? new Uint32Array(values.buffer, values.byteOffset, values.length) : values;
  return bits.every((each) => each === bits[0]) ? values[0] : undefined;
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((length, axis) => length === b[axis]);

/**
 * Storage of TensorFlow.js's tensors on a device of PyTorch's. Arrays of one number throughout, which TensorFlow.js makes as starting
 * points of gradients and as zeros for what has none, are not copied to the device but filled there, if they are read at all.
 */
export class TorchBackend extends KernelBackend {
  private readonly entries: DataStorage<Entry> = new DataStorage(this, engine());

  constructor(readonly native: Native) {
    super();
  }

  override write(values: BackendValues, shape: number[], dtype: DataType): DataId {
    const dataId = {};
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  // eslint-disable-next-line max-params -- TensorFlow.js's own
  override move(dataId: DataId, values: BackendValues, shape: number[], dtype: DataType, refCount: number): void {
    if (!isNative(dtype)) return void this.entries.set(dataId, { shape, dtype, refCount, values });
    const typed = new arrayTypes[dtype](values as unknown as ArrayLike<number>);
    const constant = constantOf(typed);
    const handle = constant === undefined ? this.native.write(shape, typed, dtypeCodes[dtype]) : undefined;
    this.entries.set(dataId, { shape, dtype, refCount, constant, handle });
  }

  /** A tensor of TensorFlow.js's that a handle becomes part of. */
  adopt(handle: Handle): TensorInfo {
    const [code, ...shape] = this.native.describe(handle);
    const dtype = (Object.keys(dtypeCodes) as NativeDtype[])[code]!;
    const dataId = {};
    this.entries.set(dataId, { shape, dtype, refCount: 1, handle });
    return { dataId, shape, dtype };
  }

  /** The handle behind a tensor, in the shape of its data. */
  handleOf(dataId: DataId): Handle {
    const entry = this.entries.get(dataId);
    if (entry.handle !== undefined) return entry.handle;
    if (entry.constant === undefined || !isNative(entry.dtype))
      throw new Error(`the torch engine computes nothing with tensors of type ${entry.dtype}`);
    return (entry.handle = this.native.full(entry.shape, entry.constant, dtypeCodes[entry.dtype]));
  }

  /** Whether nothing else has a tensor's data, so that they may be written. */
  isAlone(tensor: TensorInfo): boolean {
    return this.entries.get(tensor.dataId).refCount === 1 && this.hasShape(tensor);
  }

  /** The handle of data that are about to be written. */
  toBeWritten(dataId: DataId): Handle {
    const handle = this.handleOf(dataId);
    delete this.entries.get(dataId).constant;
    return handle;
  }

  /** The number that all elements of a tensor are, where that is known. */
  constantOf(dataId: DataId): number | undefined {
    return this.entries.get(dataId).constant;
  }

  /** Whether the data has this shape; other shapes are views of it. */
  hasShape({ dataId, shape }: TensorInfo): boolean {
    return sameShape(this.entries.get(dataId).shape, shape);
  }

  private plainValues(entry: Entry): BackendValues | undefined {
    if (entry.constant === undefined || !isNative(entry.dtype)) return entry.values;
    const size = entry.shape.reduce((product, length) => product * length, 1);
    return new arrayTypes[entry.dtype](size).fill(entry.constant);
  }

  override readSync(dataId: DataId): BackendValues {
    const entry = this.entries.get(dataId);
    return this.plainValues(entry) ?? ours(this.native.read(entry.handle!), entry.dtype);
  }

  override async read(dataId: DataId): Promise<BackendValues> {
    const entry = this.entries.get(dataId);
    return this.plainValues(entry) ?? ours(await this.native.readAsync(entry.handle!), entry.dtype);
  }

  override disposeData(dataId: DataId, force = false): boolean {
    if (!this.entries.has(dataId)) return true;
    const entry = this.entries.get(dataId);
    entry.refCount--;
    if (!force && entry.refCount > 0) return false;
    if (entry.handle !== undefined) this.native.dispose([entry.handle]);
    this.entries.delete(dataId);
    return true;
  }

  override incRef(dataId: DataId): void {
    this.entries.get(dataId).refCount++;
  }

  override refCount(dataId: DataId): number {
    return this.entries.has(dataId) ? this.entries.get(dataId).refCount : 0;
  }

  override numDataIds(): number {
    return this.entries.numDataIds();
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override timerAvailable(): boolean {
    return true;
  }

  override async time(work: () => void): Promise<{ kernelMs: number }> {
    this.native.synchronize();
    const began = performance.now();
    work();
    this.native.synchronize();
    return { kernelMs: performance.now() - began };
  }

  override dispose(): void {}
}
