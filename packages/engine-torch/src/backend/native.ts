/** A native tensor, held by the addon for whoever asked for it, who frees it. */
export type Handle = number & { readonly __handle: unique symbol };

/** A network in the addon. */
export type ProgramHandle = number & { readonly __program: unique symbol };
/** A pass in the addon, which keeps what its way back needs. */
export type PassHandle = number & { readonly __pass: unique symbol };

/** What PyTorch's operators take, in the order of their schemas; `undefined` stands for a default. */
export type Argument =
  Handle | number | boolean | string | null | undefined | readonly (Handle | number | boolean | null)[];

/** A sum over all ranks that is under way. */
export type SumHandle = number & { readonly __sum: unique symbol };

/** Types of elements, as the addon numbers them. */
export const dtypeCodes = { float32: 0, int32: 1, bool: 2 } as const;
export type NativeDtype = keyof typeof dtypeCodes;
export type Values = Float32Array | Int32Array | Uint8Array;

/** Strides (2), zeros above, below, left and right (4), dilations (2), groups. */
export type Geometry = readonly [number, number, number, number, number, number, number, number, number];

/** The addon (`native/*.cc`). Each function throws an error that names itself and the tensors that it was given. */
export interface Native {
  write(shape: readonly number[], values: Values, dtype: number): Handle;
  read(tensor: Handle): Values;
  readAsync(tensor: Handle): Promise<Values>;
  full(shape: readonly number[], value: number, dtype: number, onHost?: boolean): Handle;
  /** The code of its type, and its shape. */
  describe(tensor: Handle): [number, ...number[]];
  dispose(tensors: readonly Handle[]): void;
  /** Another handle of the same tensor. */
  alias(tensor: Handle): Handle;
  /** An operator of PyTorch's, `aten::add`, by name and overload. */
  operator(name: string, overload?: string): (...given: readonly Argument[]) => unknown;

  conv2d(x: Handle, filter: Handle, bias: Handle | null, geometry: Geometry, relu?: boolean): Handle;
  conv2dInputGradient(dy: Handle, filter: Handle, inputShape: readonly number[], geometry: Geometry): Handle;
  conv2dFilterGradient(x: Handle, dy: Handle, filterShape: readonly number[], geometry: Geometry): Handle;

  /** A network, ready for passes: nodes as `passes/program.ts` writes them. */
  prepare(nodes: readonly (readonly (string | number | readonly number[])[])[]): ProgramHandle;
  unprepare(program: ProgramHandle): void;
  /** Frees what was made of weights, until a pass wants it again. */
  forget(program: ProgramHandle): void;
  /**
   * @param flags 1 for: statistics of the batch; gradients in images, in weights; bfloat16
   * @returns the pass; logits of each batch; node, mean, variance and 1 if that is unbiased of each norm with statistics of the batch, in a row, of each batch
   */
  pass(
    program: ProgramHandle,
    images: readonly Handle[],
    weights: readonly Handle[],
    flags: readonly number[],
  ): [PassHandle, Handle[], number[][]];
  /**
   * @param take gets place and gradient of weights while others are still being found
   * @returns gradients in the images, if they were asked for; place and gradient of each weight that was not taken, in a row
   */
  pullback(
    pass: PassHandle,
    dLogits: readonly (Handle | null)[],
    keep: boolean,
    take?: (place: number, gradient: Handle) => void,
  ): [Handle[], number[]];
  /** Why passes of a network are no more recorded, or nothing. */
  unrecorded(program: ProgramHandle): string;
  /** Frees what a pass keeps. */
  discard(pass: PassHandle): void;

  /** `a + factor * b` of all. */
  plusScaled(a: readonly Handle[], b: readonly Handle[], factor: number): Handle[];
  // in place, except what something else still reads, whose handle then gets memory of its own
  /** @param velocity empty without momentum */
  sgd(
    parameters: readonly Handle[],
    gradients: readonly Handle[],
    velocity: readonly Handle[],
    ...rateMomentumNesterov: readonly [rate: number, momentum: number, nesterov: boolean]
  ): void;
  /** `tensor += share * (target - tensor)` */
  approach(tensors: readonly Handle[], targets: readonly Handle[], share: number): void;
  /** `tensor = keep * tensor + add * value` */
  blend(tensors: readonly Handle[], keep: readonly number[], values: readonly Handle[], add: readonly number[]): void;
  sums(tensors: readonly Handle[]): Handle;

  /** NCCL's version and the GPU's number among all of the world; empty where there is none. */
  ncclFacts(): [version: string, gpu: string];
  /** The bytes that ranks have in common which sum together; one of them makes them. */
  ncclId(): number[];
  /**
   * Meets the ranks whose tensors are summed from now on.
   * @param id none for a process that is alone, which tests all but the sum itself
   * @returns 1, or 0 where the others do not come in time
   */
  openSums(id: readonly number[], rank: number, size: number, seconds: number): number;
  /** Begins to sum float32 tensors over all ranks. */
  startSum(tensors: readonly Handle[]): SumHandle;
  /** The sums: the device waits for them, the host does not. */
  finishSum(sum: SumHandle): Handle[];
  /** Why sums did not come out, or nothing. */
  sumsFailure(): string;
  /** Leaves, with all other ranks. */
  closeSums(): void;

  // where ranks find each other that have no MPI; absent from a PyTorch without distributed training
  /**
   * @param serves whether the others speak to this process
   * @returns 1, or 0 where nothing answers in time
   */
  storeOpen?(host: string, port: number, serves: boolean, seconds: number): number;
  storeSet(key: string, value: Uint8Array): void;
  /** @returns places of the keys that are not there in time; [-1] as soon as the key `end` is */
  storeWait(keys: readonly string[], seconds: number, end: string): number[];
  storeGet(keys: readonly string[]): Uint8Array[];
  storeDelete(keys: readonly string[]): void;
  storeClose(): void;

  // absent from a PyTorch without its profiler
  /** Notes all that runs from now on: operators on the processor, kernels on the GPU. */
  startProfile?(): void;
  /**
   * @returns names; place of the name, 1 for the GPU, start and length in microseconds of each event, in a row
   */
  stopProfile?(): [string[], number[]];

  useDevice(name: string): void;
  useThreads(threads: number): void;
  /** @param how products of float32 in TF32: 0: never; 1: where a GPU has it; 2: emulated, with rounded factors, on any device */
  useTf32(how: 0 | 1 | 2): void;
  useDeterministic(deterministic: boolean, benchmark: boolean): void;
  /** Whether kernels of our own serve on processors where they can; without them passes go as they do on GPUs. */
  useOwnKernels(flag: boolean): void;
  /**
   * Whether passes to the images alone are recorded and replayed from their fourth on.
   * @param how 0: never; 1: as CUDA graphs; 2: by running them anew, which tests all but the graph; 3: so, and ways back fail to be recorded
   * @returns 1 if that is to be had
   */
  useRecordings(how: 0 | 1 | 2 | 3): number;
  synchronize(): void;
  /** torch's version, the processor's instructions in use, threads; 1 for: CUDA, knowledge of a GPU's memory, MPS, bfloat16 on the processor. */
  facts(): [string, string, number, number, number, number, number];
  /** Live tensors, passes, copies to and from the device of more than one number, passes that ran as recordings. */
  counts(): [number, number, number, number, number];
  /** Bytes in use, their peak since the last call, bytes free, bytes in all; empty where they are not known. */
  deviceMemory(): number[];
  deviceName(): string;
}
